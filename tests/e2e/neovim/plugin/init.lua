-- The plug-in as a package, with its defaults.

-- A mapping of the user's own, on a key of ours.
vim.keymap.set('i', '<C-]>', '<C-v>]')

vim.cmd.packadd('tabahead')

require('tabahead').setup({
  cmd = { vim.env.TABAHEAD, 'lsp' },
  -- So that an answer is what `tabahead complete` gives in a process of its own, which sees one file.
  settings = { copying = { open_files = false } },
})

-- What is said to the server, by name, and what is said of texts.
local sent = { names = {}, texts = {} }
function sent.clear()
  sent.names, sent.texts = {}, {}
end
package.loaded.sent = sent
local start = vim.lsp.rpc.start
vim.lsp.rpc.start = function(...)
  local client = start(...)
  local notify = client.notify
  client.notify = function(method, params)
    table.insert(sent.names, method)
    if method == 'textDocument/didOpen' or method == 'textDocument/didChange' then
      table.insert(sent.texts, vim.deepcopy(params))
    end
    return notify(method, params)
  end
  return client
end
