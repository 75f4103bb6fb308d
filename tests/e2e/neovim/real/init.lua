-- The plug-in as a package, with a model of the user's own, as its README shows it.
vim.cmd.packadd('tabahead')

require('tabahead').setup({
  cmd = { vim.env.TABAHEAD, 'lsp' },
  settings = { model = vim.env.MODEL },
})
