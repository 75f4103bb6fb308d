-- tabahead in Neovim 0.11, which has no inline completion: uses Neovim's own completion menu, set
-- up as its manual shows.
vim.lsp.config('tabahead', { cmd = { vim.env.TABAHEAD, 'lsp' }, root_markers = { '.git' } })
vim.lsp.enable('tabahead')
vim.o.completeopt = 'menuone,noselect,popup'
vim.api.nvim_create_autocmd('LspAttach', {
  callback = function(event)
    vim.lsp.completion.enable(true, event.data.client_id, event.buf, { autotrigger = false })
  end,
})
