-- Installs the plug-in with Neovim 0.12's own package manager, from a repository that holds it in a
-- folder.
vim.pack.add({ { src = 'file://' .. vim.env.REPOSITORY, name = 'tabahead' } }, { confirm = false })
vim.opt.runtimepath:append(vim.pack.get({ 'tabahead' })[1].path .. '/editors/nvim')

require('tabahead').setup({ cmd = { vim.env.TABAHEAD, 'lsp' } })
