-- The whole set-up of tabahead in Neovim 0.12, as README.md shows it.
vim.lsp.config('tabahead', { cmd = { vim.env.TABAHEAD, 'lsp' }, root_markers = { '.git' } })
vim.lsp.enable('tabahead')
vim.lsp.inline_completion.enable()
vim.keymap.set('i', '<Tab>', function()
  if not vim.lsp.inline_completion.get() then
    return '<Tab>'
  end
end, { expr = true })
