-- The plug-in as a package, with its defaults.

-- A mapping of the user, on one of the plug-in's keys.
vim.keymap.set('i', '<C-]>', '<C-v>]')

vim.cmd.packadd('tabahead')

require('tabahead').setup({
  cmd = { vim.env.TABAHEAD, 'lsp' },
  -- The answers then equal those of `tabahead complete` in a separate process, which sees one file.
  settings = { copying = { open_files = false } },
})

-- Names of the notifications sent to the server, and the parameters of those that carry text.
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
