-- Sets up the plug-in together with blink.cmp.

vim.cmd.packadd('tabahead')
vim.opt.runtimepath:append(vim.env.TABAHEAD_NVIM_CMP)

require('tabahead').setup({
  cmd = { vim.env.TABAHEAD, 'lsp' },
  settings = { copying = { open_files = false } },
})
