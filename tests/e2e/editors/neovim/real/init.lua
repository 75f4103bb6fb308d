-- The plug-in as a package, with the user's own model, as its README shows it.
vim.cmd.packadd('tabahead')

require('tabahead').setup({
  cmd = { vim.env.TABAHEAD, 'lsp' },
  settings = { model = vim.env.MODEL },
})
