-- Drives Neovim's own inline completion, with only Neovim's LSP client and no plug-in. See
-- harness.lua.

package.path = vim.env.SCRIPTS .. '/?.lua;' .. package.path
local test = require('harness')
local lua, input, wait, fail, seen, buffer, stats =
  test.lua, test.input, test.wait, test.fail, test.seen, test.buffer, test.stats

local file = vim.env.FOLDER .. '/area.rs'
vim.fn.writefile({}, file, 'b')
test.start(vim.env.INIT, { file })

local function ghost()
  return test.ghost('nvim.lsp.inline_completion')
end

local function has_ghost()
  return ghost():gsub('%s', '') ~= ''
end

wait('the server to attach', function()
  return lua([[
    return #vim.lsp.get_clients({ bufnr = 0, method = 'textDocument/inlineCompletion' }) > 0
  ]])
end)
seen(
  'Neovim '
    .. lua('return tostring(vim.version())')
    .. ' attached to '
    .. lua([[return vim.lsp.get_clients({ bufnr = 0 })[1].server_info.name]])
)

-- Typing: ghost text is on the screen but not in the buffer.
local typed = table.concat({
  'pub struct Rectangle {',
  '    width: f64,',
  '    height: f64,',
  '}',
  '',
  'impl Rectangle {',
  '    pub fn area(&self) -> f64 {',
  '        self.',
}, '\n')
input('i')
lua('vim.o.paste = true')
input(test.typed(typed))
wait('the text to be typed', function()
  return buffer() == typed
end)
lua('vim.o.paste = false')
wait('the first request', function()
  return stats().requests > 0
end)
-- The model suggests something at most positions, but not at all of them: type on until it does.
for key in ('width * self.'):gmatch('.') do
  test.settle()
  if vim.wait(1500, has_ghost, 20) then
    break
  end
  local before = stats().requests
  input(key)
  typed = typed .. key
  wait('"' .. key .. '" to be typed', function()
    return buffer() == typed
  end)
  wait('a request after "' .. key .. '"', function()
    return stats().requests > before
  end)
end
wait('ghost text', has_ghost)
test.settle()
local shown = ghost()
local before = buffer()
if before ~= typed then
  fail('ghost text must not be in the buffer:\n' .. before)
end
local first = vim.split(shown, '\n')[1]
local line = typed:match('[^\n]*$')
if not test.screen():find(line .. first, 1, true) then
  fail('"' .. first .. '" is not on the screen')
end
seen('ghost text on the screen: ' .. vim.inspect(shown))

-- Accepting: the buffer then has what was shown.
local counted = test.settle()
input('<Tab>')
wait('the accepted text', function()
  return buffer() ~= before
end)
local accepted = buffer()
if accepted:gsub('%s', ''):find((before .. first):gsub('%s', ''), 1, true) ~= 1 then
  fail('accepted another text than "' .. shown .. '":\n' .. accepted)
end
seen('Tab put it into the buffer: ' .. vim.inspect(accepted:sub(#before + 1)))

-- Neovim sends the next request by itself. It is answered from what was computed ahead.
local after
wait('the next request', function()
  after = stats()
  return after.requests > counted.requests
end)
wait('its answer', function()
  after = stats()
  local answered = after.misses
  for _, count in pairs(after.hits) do
    answered = answered + count
  end
  return answered
    > counted.misses
      + counted.hits.exact
      + counted.hits.typed_through
      + counted.hits.joined
      + counted.hits.speculated
end)
if after.hits.speculated <= counted.hits.speculated then
  fail('the next request was not answered from a speculated path: ' .. vim.inspect(after))
end
seen('the next request was answered from a speculated path: ' .. vim.json.encode(after.hits))

-- An explicit request returns several suggestions, and Neovim cycles through them. Neovim has no
-- public function for an explicit request (0.12 always reports an automatic one), only for cycling.
test.settle()
lua([[
  require('vim.lsp._capability').all.inline_completion.active[vim.api.nvim_get_current_buf()]:request(1)
]])
wait('several suggestions', function()
  return lua([[
    return require('vim.lsp._capability').all.inline_completion.active[vim.api.nvim_get_current_buf()]:count_items()
  ]]) > 1
end)
-- While cycling, Neovim appends the number of the suggestion to its text.
local function without_number()
  return (ghost():gsub(' %(%d/%d%)$', ''))
end
local offered = {}
repeat
  offered[#offered + 1] = without_number()
  lua('vim.lsp.inline_completion.select()')
until #offered == 8 or vim.list_contains(offered, without_number())
if #offered < 2 or without_number() ~= offered[1] then
  fail('cycling showed ' .. vim.inspect(offered) .. ' and then ' .. ghost())
end
if buffer() ~= accepted then
  fail('cycling changed the buffer:\n' .. buffer())
end
seen('asked for several, and cycled through ' .. vim.inspect(offered))

-- Leaving insert mode clears the ghost text, and one undo removes the accepted text with the rest.
input('<Esc>')
wait('the ghost to go', function()
  return not has_ghost()
end)
seen('Esc cleared the ghost text')
input('u')
wait('undo', function()
  return buffer() ~= accepted
end)
local undone = buffer()
input('<C-r>')
wait('redo', function()
  return buffer() == accepted
end)
seen('one undo and one redo: ' .. #accepted .. ' bytes, ' .. #undone .. ' bytes, ' .. #accepted .. ' bytes')

input(':w<CR>')
wait('the file to be written', function()
  local written = io.open(file)
  local text = written and written:read('a') or ''
  if written then
    written:close()
  end
  return text == accepted .. '\n'
end)
seen('the file holds the accepted text')

-- Neovim does not cancel an older request. The server answers it with `null`: an error would show
-- up in the messages at each key. No answer is known for any of these positions, and each takes a
-- long prompt, so the first request has to wait. If Neovim is slow to send the second one, the loop
-- tries the next position.
lua([[
  local lines = {}
  for number = 1, 100 do
    lines[number] = ('const SIDE_%d: f64 = %d.0; // how long side number %d is'):format(number, number, number)
  end
  vim.api.nvim_buf_set_lines(0, -1, -1, true, lines)
]])
lua('vim.cmd("messages clear")')
local pair
for place = 40, 80, 4 do
  test.settle()
  pair = lua(
    [[
    local line = ...
    local client = vim.lsp.get_clients({ bufnr = 0, name = 'tabahead' })[1]
    -- Its number, not 0: for 0 Neovim does not send the changes that it holds back before a request.
    local buffer = vim.api.nvim_get_current_buf()
    local params = {
      textDocument = vim.lsp.util.make_text_document_params(buffer),
      position = { line = line, character = 12 },
      context = { triggerKind = 2 },
    }
    local answers = {}
    for number = 1, 2 do
      client:request('textDocument/inlineCompletion', params, function(failed, result)
        answers[number] = failed and failed.message or (result and 'items' or 'null')
      end, buffer)
    end
    vim.wait(60000, function() return answers[1] and answers[2] end, 10)
    return answers
  ]],
    place
  )
  if pair[1] ~= 'items' then
    break
  end
end
if pair[1] ~= 'null' or pair[2] ~= 'items' then
  fail('a request and a newer one were answered ' .. vim.inspect(pair))
end
local messages = vim.trim(lua('return vim.fn.execute("messages")'))
if messages ~= '' then
  fail('there are messages: ' .. messages)
end
seen('a request that a newer one replaced was answered null, and the user saw no message')

-- A byte that is not UTF-8, as in a file of another encoding that is read without conversion.
local latin = vim.env.FOLDER .. '/latin.rs'
local written = assert(io.open(latin, 'wb'))
written:write('// caf\xe9\n' .. accepted .. '\n')
written:close()
lua('vim.cmd("edit ++bin " .. ...)', latin)
wait('the server to follow the file', function()
  return lua([[return #vim.lsp.get_clients({ bufnr = 0, name = 'tabahead' })]]) == 1
end)
local requests = test.settle().requests
input('GA ')
wait('a request', function()
  return stats().requests > requests
end)
test.settle()
if lua('return vim.api.nvim_buf_get_lines(0, 0, 1, true)[1]') ~= '// caf\xe9' then
  fail('the byte is not there:\n' .. buffer())
end
messages = vim.trim((lua('return vim.fn.execute("messages")'):gsub('"[^\n]*"[^\n]*', '')))
if messages ~= '' then
  fail('there are messages: ' .. messages)
end
seen('a file with a byte that is no UTF-8 is followed, and the user saw no message')
test.finish(0)
