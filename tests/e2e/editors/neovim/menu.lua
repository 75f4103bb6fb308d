-- Drives Neovim 0.11's own completion menu: opens it, reads the screen, accepts, and compares the
-- buffer. See harness.lua.

package.path = vim.env.SCRIPTS .. '/?.lua;' .. package.path
local test = require('harness')
local lua, input, wait, expect, seen = test.lua, test.input, test.wait, test.expect, test.seen

local file = vim.env.FOLDER .. '/area.rs'
test.start(vim.env.INIT, { file })

local function is_attached()
  return lua([[
    return #vim.lsp.get_clients({ bufnr = 0, method = 'textDocument/completion' }) > 0
  ]])
end

--- Returns the text of `fixture` without its "$0", and the position of "$0" in bytes, from 1.
---@param fixture string
local function taken_apart(fixture)
  local at = assert(fixture:find('$0', 1, true), fixture)
  return fixture:sub(1, at - 1) .. fixture:sub(at + 2), at
end

--- Replaces the buffer's text with that of `fixture` and starts inserting at its "$0".
---@param fixture string
local function edit(fixture)
  local text, at = taken_apart(fixture)
  local before = text:sub(1, at - 1)
  local place = { select(2, before:gsub('\n', '')) + 1, #before:match('[^\n]*$') }
  input('<Esc><Esc>')
  wait('normal mode', function()
    return lua('return vim.api.nvim_get_mode().mode') == 'n'
  end)
  -- The cursor is set in insert mode, where it can be after the last character.
  input('i')
  wait('insert mode', function()
    return lua('return vim.api.nvim_get_mode().mode') == 'i'
  end)
  lua(
    [[
      local lines, place = ...
      vim.api.nvim_buf_set_lines(0, 0, -1, true, lines)
      vim.api.nvim_win_set_cursor(0, place)
    ]],
    vim.split(text, '\n'),
    place
  )
end

--- Returns whether the menu is open, its items, and the index of the selected one, from 0.
local function menu()
  return lua([[
    return vim.tbl_extend('error', vim.fn.complete_info({ 'items', 'selected' }), {
      is_open = vim.fn.pumvisible() == 1,
    })
  ]])
end

--- Asks for the menu as a key mapping of a user would, and waits for the answer.
local function ask()
  local before = test.settle()
  lua('vim.lsp.completion.get()')
  wait('a request', function()
    return test.stats().requests > before.requests
  end)
  return test.settle()
end

--- Asks, and waits for the menu. It must hold only our item, on the screen and not selected.
local function offered()
  local figures = ask()
  wait('the menu', function()
    return menu().is_open
  end)
  local shown = menu()
  expect('the number of items', #shown.items, 1)
  expect('the selected item', shown.selected, -1)
  local item = shown.items[1]
  if not test.screen():find(item.abbr, 1, true) then
    test.fail('"' .. item.abbr .. '" is not on the screen')
  end
  return item, figures
end

--- Selects the first item and accepts it.
---@param seen_by_server? boolean Whether the server sees the text that the selection inserts.
local function accept(seen_by_server)
  input('<C-n>')
  wait('the selection', function()
    return menu().selected == 0
  end)
  if seen_by_server then
    test.stats()
  end
  input('<C-y>')
  wait('the menu to close', function()
    return not menu().is_open
  end)
end

--- Waits for the text of `expected`; the cursor must be at its "$0".
---@param expected string
local function expect_text(expected)
  local text, at = taken_apart(expected)
  wait('the buffer to be\n' .. expected .. '\n', function()
    return test.buffer() == text
  end)
  local cursor = lua([[
    local row, column = unpack(vim.api.nvim_win_get_cursor(0))
    return #table.concat(vim.api.nvim_buf_get_lines(0, 0, row - 1, true), '\n') + (row > 1 and 1 or 0) + column + 1
  ]])
  expect('the cursor', cursor, at)
  -- Otherwise Tab would jump within the accepted text.
  expect('whether a snippet is filled in', lua('return vim.snippet.active()'), false)
end

--- Opens the menu at the "$0" of `fixture` and accepts; the result must be `expected`.
local function accepts(what, fixture, expected, seen_by_server)
  edit(fixture)
  local item = offered()
  accept(seen_by_server)
  expect_text(expected)
  seen(what .. ': ' .. vim.inspect(item.abbr) .. ' was accepted, and all is where it should be')
end

wait('the server to attach', is_attached)
local declared = lua([[
  local client = vim.lsp.get_clients({ bufnr = 0 })[1]
  return {
    inline = client.capabilities.textDocument.inlineCompletion,
    provider = client.server_capabilities.completionProvider,
  }
]])
expect('what was agreed', declared, { provider = { resolveProvider = false } })
seen('Neovim ' .. lua('return tostring(vim.version())') .. ' attached, which has no inline completion')

local head = [[
fn area(width: f64, height: f64) -> f64 {
    width * height
}

fn print_area(width: f64, height: f64) {
    let result = area(width, height);
    println!("the area is {}", result);
    println!("the width is {}", width);
}

fn show_area(width: f64, height: f64) {
]]

-- An accept, and then the next suggestion, which was computed ahead.
edit(head .. '    let result = area(wi$0\n}')
local item = offered()
seen('the menu has it, not selected: ' .. vim.inspect({ item.abbr, item.menu, item.kind }))
accept()
expect_text(head .. '    let result = area(width, height);$0\n}')
-- Neovim may send the removal of the word before the insertion of the item.
local counted = test.settle()
expect(
  'accepts, and what else was typed',
  { counted.outcomes.accepted_all, counted.accepted, counted.outcomes.diverged },
  { 1, 1, 0 }
)
seen('it was accepted: the buffer is exactly as suggested, and the server counted that')
local next_item, figures = offered()
expect('answers computed ahead', figures.hits.speculated, counted.hits.speculated + 1)
seen('the next one was computed ahead: ' .. vim.inspect(next_item.abbr))
accept()
local line = '    println!("the area is {}", result);'
expect_text(head .. '    let result = area(width, height);\n' .. line .. '$0\n}')
expect('accepts', test.settle().outcomes.accepted_all, 2)
seen('a line of its own came where it belongs, with its indentation')

accepts(
  'in brackets that are closed',
  head .. '    let result = area($0);\n}',
  head .. '    let result = area(width, height$0);\n}'
)
accepts(
  'after letters of several bytes',
  head .. '    let größe𝒳 = area(wi$0\n}',
  head .. '    let größe𝒳 = area(width, height);$0\n}',
  true
)
accepts(
  'a further line, looked at first',
  head .. '    let result = area(width, height);$0\n}',
  head .. '    let result = area(width, height);\n' .. line .. '$0\n}',
  true
)

-- Typing while the menu is open: Neovim filters its items, and the accept inserts what is left.
edit(head .. '    let result = area(w$0\n}')
offered()
input('id')
wait('the menu to be filtered', function()
  return test.cursor()[2] == #'    let result = area(wid'
end)
expect('the menu', { menu().is_open, #menu().items }, { true, 1 })
accept()
expect_text(head .. '    let result = area(width, height);$0\n}')
seen('it stays while it is typed along, and nothing is doubled then')

-- Closing the menu without accepting keeps the text as typed.
edit(head .. '    let result = area(wi$0\n}')
offered()
input('<C-n>')
wait('the selection', function()
  return menu().selected == 0
end)
input('<C-e>')
wait('the menu to close', function()
  return not menu().is_open
end)
expect_text(head .. '    let result = area(wi$0\n}')
seen('leaving the menu leaves what was typed')

-- A bracket and a semicolon alone are not worth a menu.
edit(head .. '    let result = area(width, height$0\n}')
local closing = lua([[
  local client = vim.lsp.get_clients({ bufnr = 0, name = 'tabahead' })[1]
  local buffer = vim.api.nvim_get_current_buf()
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  local answer = client:request_sync('textDocument/inlineCompletion', params, 60000, buffer)
  return answer.result.items[1].insertText
]])
expect('what is suggested', closing, ');')
ask()
expect('the menu', menu().is_open, false)
seen('for ' .. vim.inspect(closing) .. ' alone no menu opens')

-- A file with CRLF line ends. Neovim inserts the text as it is, so it must not contain a CR.
local dos = vim.env.FOLDER .. '/dos.rs'
local written = assert(io.open(dos, 'wb'))
written:write((('fn main() {\n}\n'):gsub('\n', '\r\n')))
written:close()
input('<Esc><Esc>')
lua('vim.cmd("edit! " .. ...)', dos)
wait('the server to attach', is_attached)
edit(head .. '    let result = area(width, height);$0\n}')
offered()
accept()
expect_text(head .. '    let result = area(width, height);\n' .. line .. '$0\n}')
expect('the line ends', lua('return vim.bo.fileformat'), 'dos')
seen('a file of CRLF got a further line, and no CR in it')

-- When Neovim asks at each key (`autotrigger`), the item stays.
lua([[
  local client = vim.lsp.get_clients({ bufnr = 0, name = 'tabahead' })[1]
  vim.lsp.completion.enable(false, client.id, 0)
  vim.lsp.completion.enable(true, client.id, 0, { autotrigger = true })
]])
edit(head .. '    let result = area($0\n}')
local first = offered()
for key in ('width'):gmatch('.') do
  local requests = test.stats().requests
  input(key)
  wait('a request after "' .. key .. '"', function()
    return test.stats().requests > requests
  end)
  test.settle()
  local shown = menu()
  expect('the menu after "' .. key .. '"', { shown.is_open, #shown.items, shown.selected }, { true, 1, -1 })
  expect('the item after "' .. key .. '"', shown.items[1].abbr, first.abbr)
end
accept()
expect_text(head .. '    let result = area(width, height);$0\n}')
seen('with autotrigger it was asked for at each of five keys, and the menu kept ' .. vim.inspect(first.abbr))

local messages = vim.trim(lua('return vim.fn.execute("messages")'))
-- Drops what `:edit` prints about the files.
messages = vim.trim((messages:gsub('"[^\n]*"[^\n]*', '')))
expect('the messages', messages, '')
seen('the user saw no message')
test.finish(0)
