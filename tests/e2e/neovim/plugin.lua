-- Drives the plug-in in a Neovim under test: see harness.lua. Each scenario has a file of its own.

package.path = vim.env.SCRIPTS .. '/?.lua;' .. package.path
local test = require('harness')
local samples = require('samples')
local terminal = require('terminal')
local lua, input, expect, wait, seen = test.lua, test.input, test.expect, test.wait, test.seen

local folder = vim.env.FOLDER

--- Which server it is, of those that were started.
---@return integer?
local function server()
  local id = lua([[
    local client = vim.lsp.get_clients({ bufnr = 0, name = 'tabahead' })[1]
    return client and client.initialized and client.id or 0
  ]])
  return id ~= 0 and id or nil
end

local function ghost()
  return test.ghost('tabahead')
end

local function is_attached()
  return lua([[
    local clients = vim.lsp.get_clients({ bufnr = 0, name = 'tabahead' })
    return #clients == 1 and clients[1].initialized == true
  ]])
end

--- Opens a new file with these lines, and inserts at the end of the last one.
---@param name string
---@param lines string[]
---@param ending? string
---@return string text What stands in the buffer.
local function open(name, lines, ending)
  input('<Esc><Esc>')
  local path = folder .. '/' .. name
  local text = table.concat(lines, ending or '\n') .. (ending or '\n')
  local file = assert(io.open(path, 'wb'))
  file:write(text)
  file:close()
  lua('vim.cmd.edit(...)', path)
  wait('the server to follow ' .. name, is_attached)
  input('G$a')
  wait('insert mode', function()
    return lua('return vim.api.nvim_get_mode().mode') == 'i'
  end)
  return test.buffer()
end

--- Types a text, waits until it is there, and until the server has nothing to do any more.
---@param text string
local function type_text(text)
  local row, column = unpack(test.cursor())
  input(test.typed(text))
  wait('"' .. text .. '" to be typed', function()
    local now = test.cursor()
    return now[1] ~= row or now[2] == column + #text
  end)
  test.settle()
end

--- Waits for ghost text, and gives it when it is the last word.
---@return string
local function shown()
  wait('ghost text', function()
    return ghost() ~= ''
  end)
  test.settle()
  return ghost()
end

--- What a process of its own suggests at the cursor.
---@return string
local function fresh()
  local row, column = unpack(test.cursor())
  local line = lua('return vim.api.nvim_get_current_line()')
  local name = vim.fn.fnamemodify(lua('return vim.api.nvim_buf_get_name(0)'), ':t')
  local copy = folder .. '/fresh/' .. name
  vim.fn.mkdir(folder .. '/fresh', 'p')
  local file = assert(io.open(copy, 'wb'))
  local ending = lua('return vim.bo.fileformat') == 'dos' and '\r\n' or '\n'
  file:write((test.buffer():gsub('\n', ending)) .. ending)
  file:close()
  local place = ('%s:%d:%d'):format(copy, row + 1, vim.fn.strchars(line:sub(1, column)) + 1)
  local answer = vim.system({ vim.env.TABAHEAD, 'complete', place, '--json', '--no-speculation' }):wait()
  if answer.code ~= 0 then
    test.fail('tabahead complete: ' .. answer.stderr)
  end
  local text = vim.json.decode(answer.stdout).chain[1].text
  return text == vim.NIL and '' or (text:gsub('\r\n', '\n'))
end

--- The rows that a text gives on the screen.
---@param text string
---@return string
local function rows(text)
  return lua(
    'return table.concat(vim.tbl_map(function(line) return vim.fn.substitute(line, "\\t", "        ", "g") end, ...), "\\n")',
    vim.split(text, '\n')
  )
end

--- The buffer with `text` at the cursor, instead of `covered` bytes there.
---@param text string
---@param covered? integer
---@return string
local function with(text, covered)
  local row, column = unpack(test.cursor())
  local lines = vim.split(test.buffer(), '\n')
  local line = lines[row + 1]
  lines[row + 1] = line:sub(1, column) .. text .. line:sub(column + 1 + (covered or 0))
  return table.concat(lines, '\n')
end

--- Presses Tab on what is shown: buffer and screen are what they were before, with it.
---@param covered? integer Bytes behind the cursor that it replaces.
---@param whole? string What is inserted, where the drawing is only a part of it.
---@return string text What was accepted.
local function tab(covered, whole)
  local text = whole or ghost()
  local expected = with(text, covered)
  input('<Tab>')
  wait('the accepted text', function()
    return test.buffer() == expected
  end)
  test.settle()
  local screen, next_ghost = test.screen(), ghost()
  if not vim.startswith(screen, rows(expected)) and next_ghost == '' then
    test.fail('the screen is not the buffer')
  end
  return text
end

--- Fails unless the cursor's row was this one in every frame since `first`.
---@param frames Frame[]
---@param first integer
---@param row string
---@return integer count
local function expect_frames(frames, first, row)
  for i = first, #frames do
    expect('a frame', frames[i].rows[frames[i].row + 1], row)
  end
  return #frames - first + 1
end

local function outcomes()
  return test.settle().outcomes
end

--- What is tried, each with a file of its own. `ONLY` may name one.
---@param name string
---@param try fun()
local function scenario(name, try)
  if vim.env.ONLY == nil or vim.env.ONLY == name then
    try()
  end
end

test.start(vim.env.INIT, {})
local frames = terminal.attach(lua('return vim.v.servername'))
seen('Neovim ' .. lua('return tostring(vim.version())'))
expect(
  'modules before the first file',
  lua([[
  local loaded = {}
  for name in pairs(package.loaded) do
    if vim.startswith(name, 'tabahead') then table.insert(loaded, name) end
  end
  table.sort(loaded)
  return table.concat(loaded, ' ')
]]),
  'tabahead tabahead.config tabahead.keys'
)

-- Ghost text while typing, on the screen and not in the buffer.
scenario('chain', function()
  local before = open('chain.rs', samples.rust)
  type_text('acc')
  before = before .. 'acc'
  local text = shown()
  expect('the buffer', test.buffer(), before)
  expect('the ghost text', text, fresh())
  expect('the screen', test.screen(), before .. text)
  seen('ghost text on the screen and not in the buffer: ' .. vim.inspect(text))

  -- Tab, Tab, Tab: each next suggestion was computed ahead.
  local counted = test.settle()
  local accepted = {}
  for number = 1, 4 do
    local text = shown()
    accepted[number] = tab()
    before = before .. text
    expect('the buffer after Tab ' .. number, test.buffer(), before)
    -- The last lines are those of the screen: it has scrolled so that all ghost text is seen.
    local screen, expected = test.screen(), before .. ghost()
    expect('the screen after Tab ' .. number, screen, expected:sub(-#screen))
  end
  local after = test.settle()
  expect('answers that were computed ahead', after.hits.speculated - counted.hits.speculated, 4)
  expect('answers that had to be computed', after.misses, counted.misses)
  expect('accepts', after.outcomes.accepted_all - counted.outcomes.accepted_all, 4)
  seen('Tab x 4, each answered from what was computed ahead: ' .. vim.inspect(accepted))

  -- One undo takes one accept back, and nothing else; redo brings it.
  input('<Esc>u')
  wait('undo', function()
    return test.buffer() == before:sub(1, #before - #accepted[4])
  end)
  input('u')
  wait('the second undo', function()
    return test.buffer() == before:sub(1, #before - #accepted[4] - #accepted[3])
  end)
  input('<C-r><C-r>')
  wait('redo', function()
    return test.buffer() == before
  end)
  seen('each undo took back one accept')
end)

-- Typing along: in every frame, what is typed and what is still ghost make the same line.
scenario('along', function()
  local before = open('along.rs', samples.rust)
  type_text('acc')
  before = before .. 'acc'
  local text = vim.split(shown(), '\n')[1]
  local line = vim.split(before, '\n')
  local whole = line[#line] .. text
  local counted = test.settle()
  local first_frame = #frames + 1
  for i = 1, #text - 1 do
    input(test.typed(text:sub(i, i)))
    wait('a letter', function()
      return test.buffer() == before .. text:sub(1, i)
    end)
  end
  local after = test.settle()
  local count = expect_frames(frames, first_frame, whole)
  if count < #text - 1 then
    test.fail(('%d frames for %d letters'):format(count, #text - 1))
  end
  expect('letters typed along', after.outcomes.typed_along - counted.outcomes.typed_along, #text - 1)
  expect('nothing computed for them', after.misses, counted.misses)
  seen(('typed %d letters along, the same line in each of %d frames'):format(#text - 1, count))

  -- And back: the letters go, the ghost text comes again.
  first_frame = #frames + 1
  for i = 1, 4 do
    input('<BS>')
    wait('a letter to go', function()
      return test.buffer() == before .. text:sub(1, #text - 1 - i)
    end)
  end
  test.settle()
  expect_frames(frames, first_frame, whole)
  expect('the ghost text', vim.split(ghost(), '\n')[1], text:sub(-5))
  seen('four letters back, the same line in each frame')

  -- Accepting what was typed along repeats no letter, however fast the keys come.
  local left = ghost()
  input(left:sub(1, 2) .. '<Tab>')
  before = before .. text:sub(1, #text - 5)
  wait('the accepted text', function()
    return test.buffer() == before .. left
  end)
  input('<Esc>')
  expect('the buffer', test.buffer(), before .. left)
  seen('two letters of it and Tab in one go: nothing twice')
end)

-- By word and by line; what is left stays.
scenario('parts', function()
  local before = open('parts.rs', samples.rust)
  type_text('acc')
  before = before .. 'acc'
  local text = shown()
  local counted = outcomes()
  local taken = ''
  for _ = 1, 3 do
    input('<C-Right>')
    wait('a word', function()
      local now = test.buffer()
      return #now > #before + #taken and vim.startswith(before .. text, now)
    end)
    taken = test.buffer():sub(#before + 1)
    test.settle()
    expect('what is left', ghost(), text:sub(#taken + 1))
  end
  seen('three words: ' .. vim.inspect(taken))
  expect('words', outcomes().accepted_word - counted.accepted_word, 3)
  input('<M-End>')
  local first = vim.split(text, '\n')[1]
  wait('the line', function()
    return test.buffer() == before .. first
  end)
  seen('the rest of the line: ' .. vim.inspect(first:sub(#taken + 1)))

  -- A dismissed suggestion does not come again before the text changes, and the server is told.
  shown()
  counted = outcomes()
  input('<C-]>')
  wait('the ghost text to go', function()
    return ghost() == ''
  end)
  input('<Left><Right>')
  test.settle()
  expect('ghost text after moving away and back', ghost(), '')
  expect('dismissed', outcomes().dismissed - counted.dismissed, 1)
  expect('what the key did before is not done', test.buffer(), before .. first)
  input('<C-]>')
  wait('what the key did before', function()
    return test.buffer() == before .. first .. ']'
  end)
  input('<BS>')
  wait('ghost text again', function()
    return ghost() ~= ''
  end)
  seen('dismissed until the text changed; without ghost text the key does what it did before')

  -- Moving away is told, too, and so is leaving insert mode.
  lua('SENT = {}')
  input('<Up>')
  wait('the move to be told', function()
    return vim.list_contains(lua('return SENT'), 'tabahead/didMoveCursor')
  end)
  input('<Down>')
  shown()
  counted = outcomes()
  input('<Esc>')
  wait('leaving insert mode to count', function()
    return outcomes().dismissed == counted.dismissed + 1
  end)
  expect('ghost text in normal mode', ghost(), '')
  seen('the server learns of the cursor that moves away and of leaving insert mode')
end)

-- A request that another one replaces is cancelled.
scenario('cancelled', function()
  open('cancelled.rs', samples.rust)
  lua([[
  SENT = {}
  for _ = 1, 3 do
    vim.api.nvim_put({ 'a' }, 'c', false, true)
    vim.api.nvim_exec_autocmds('TextChangedI', { buffer = 0 })
  end
]])
  local cancelled = vim.tbl_filter(function(method)
    return method == '$/cancelRequest'
  end, lua('return SENT'))
  if #cancelled < 2 then
    test.fail(#cancelled .. ' of 2 replaced requests were cancelled')
  end
  seen('replaced requests are cancelled')
end)

-- Several suggestions, on asking.
scenario('several', function()
  open('several.rs', samples.rust)
  local text = shown()
  local offered = { text }
  input('<M-]>')
  wait('the second of several', function()
    return ghost():find('%(2/%d%)') ~= nil
  end)
  local function without_count()
    return (ghost():gsub(' %(%d/%d%)$', ''))
  end
  while #offered < 9 and not vim.list_contains(offered, without_count()) do
    table.insert(offered, without_count())
    local drawn = ghost()
    input('<M-]>')
    wait('the next', function()
      return ghost() ~= drawn
    end)
  end
  expect('after the last comes the first', without_count(), offered[1])
  input('<M-[>')
  wait('the last again', function()
    return without_count() == offered[#offered]
  end)
  local before = test.buffer()
  input('<Tab>')
  wait('its text', function()
    return test.buffer() == before .. offered[#offered]
  end)
  seen('several on asking, there and back, the last accepted: ' .. vim.inspect(offered))
end)

-- Asked for by hand where nothing is asked by itself.
scenario('asked', function()
  lua([[require('tabahead.config').options.auto = false]])
  open('asked.rs', samples.rust)
  type_text('acc')
  expect('ghost text', ghost(), '')
  input('<M-\\>')
  local text = shown()
  lua([[require('tabahead.config').options.auto = true]])
  seen('without `auto`, nothing until it was asked for: ' .. vim.inspect(text))
end)

-- Before a closing bracket: what is suggested has it, too, and it is not doubled.
scenario('closer', function()
  open('closer.py', samples.closer)
  input('<Esc>0f(a')
  test.settle()
  local text = shown()
  local full = fresh()
  local row = test.screen():match('half[^\n]*')
  expect('the row on the screen', row, 'half = width(' .. full .. ' * 2')
  tab(1, full)
  expect('the line', lua('return vim.api.nvim_get_current_line()'), 'half = width(' .. full .. ' * 2')
  expect('the cursor', test.cursor()[2], #('half = width(' .. full))
  seen('in the middle of a line, over a closing bracket: ' .. row)
  input('<Esc>u')
  wait('undo', function()
    return lua('return vim.api.nvim_get_current_line()') == 'half = width() * 2'
  end)
  seen('one undo brings the bracket back')
end)

-- Tabs are drawn as wide as they will be.
scenario('tabs', function()
  local text
  local before = open('tabs.go', samples.go)
  lua('vim.bo.tabstop = 8')
  for _ = 1, 3 do
    text = shown()
    local drawn = fresh()
    expect('the screen', test.screen(), rows(before .. drawn))
    tab(0, drawn)
    before = before .. drawn
    expect('the buffer', test.buffer(), before)
  end
  seen('tabs are drawn as they will be: ' .. vim.inspect(before:sub(-60)))
end)

-- Letters of several bytes and cells of two columns, with both line ends.
scenario('wide', function()
  local text
  local before
  for _, ending in ipairs({ '\n', '\r\n' }) do
    local name = ending == '\n' and 'wide.py' or 'dos.py'
    before = open(name, samples.wide, ending)
    expect('line ends', lua('return vim.bo.fileformat'), ending == '\n' and 'unix' or 'dos')
    type_text('漢')
    before = before .. '漢'
    text = shown()
    expect('the ghost text', text, fresh())
    expect('the screen', test.screen(), before .. text)
    local letter = vim.fn.strcharpart(text, 0, 1)
    type_text(letter)
    before, text = before .. letter, text:sub(#letter + 1)
    expect('the ghost text behind a typed letter', ghost(), text)
    tab()
    before = before .. text
    expect('the buffer', test.buffer(), before)
    text = shown()
    tab()
    before = before .. text
    expect('the buffer', test.buffer(), before)
    input('<Esc>:w<CR>')
    local expected = (before:gsub('\n', ending)) .. ending
    wait('the file', function()
      local file = io.open(folder .. '/' .. name, 'rb')
      local written = file and file:read('a') or ''
      if file then
        file:close()
      end
      return written == expected
    end)
    seen(('%s: %s'):format(name, vim.inspect(before:sub(-30))))
  end
end)

-- Two windows on one buffer: the text is that of both, whichever is typed into.
scenario('windows', function()
  local before = open('windows.rs', samples.rust)
  input('<Esc>:split<CR>GA')
  type_text('acc')
  before = before .. 'acc'
  local text = shown()
  tab()
  before = before .. text
  input('<Esc><C-w>jGA')
  text = shown()
  expect('the ghost text', text, fresh())
  tab()
  before = before .. text
  expect('the buffer', test.buffer(), before)
  -- A change from the other window while ghost text is shown: it is taken away, and nothing wrong is put in.
  shown()
  lua([[vim.api.nvim_buf_set_lines(0, 0, 1, true, { '/// Another first line.' })]])
  test.settle()
  wait('an answer to the new text', function()
    return ghost() == '' or ghost() == fresh()
  end)
  input('<Esc>:only<CR>')
  seen('two windows on one buffer')
end)

-- Two buffers: each has its own.
scenario('buffers', function()
  local one = open('one.rs', samples.rust)
  type_text('acc')
  shown()
  local two = open('two.go', samples.go)
  local text = shown()
  tab()
  expect('the second buffer', test.buffer(), two .. text)
  input('<Esc>:buffer one.rs<CR>')
  wait('the first buffer', function()
    return vim.endswith(lua('return vim.api.nvim_buf_get_name(0)'), 'one.rs')
  end)
  expect('the first buffer', test.buffer(), one .. 'acc')
  input('A')
  text = shown()
  expect('its ghost text', text, fresh())
  tab()
  expect('the first buffer', test.buffer(), one .. 'acc' .. text)
  input('<Esc>:wall<CR>')
  seen('two buffers, each with its own')
end)

-- The file is read again while ghost text is shown.
scenario('again', function()
  local before = open('again.rs', samples.rust)
  type_text('acc')
  shown()
  input('<C-o>:e!<CR>')
  wait('the file as it is on the disk', function()
    return test.buffer() == before
  end)
  input('<Esc>GA')
  type_text('acco')
  local text = shown()
  expect('the ghost text', text, fresh())
  tab()
  expect('the buffer', test.buffer(), before .. 'acco' .. text)
  seen('`:e!` took text and ghost text back, and what follows is right')
end)

-- The dot repeats an accept with what was typed around it.
scenario('dot', function()
  local before = open('dot.rs', vim.list_extend({ '', '' }, samples.rust))
  type_text('acc')
  local text = tab(0, (shown()))
  input('<Esc>gg.')
  wait('the dot to repeat it', function()
    local expected = vim.split('acc' .. text, '\n')
    return vim.deep_equal(vim.list_slice(vim.split(test.buffer(), '\n'), 1, #expected), expected)
  end)
  seen('`.` repeats what was typed and accepted: ' .. vim.inspect('acc' .. text))
end)

-- A macro holds what was accepted, not the key.
scenario('macro', function()
  local before = open('macro.rs', samples.rust)
  input('<Esc>qqA')
  wait('insert mode', function()
    return lua('return vim.api.nvim_get_mode().mode') == 'i'
  end)
  type_text('acc')
  local text = tab(0, (shown()))
  input('x<Esc>q')
  wait('the end of the recording', function()
    return lua('return vim.fn.reg_recording()') == ''
  end)
  wait('the register', function()
    return lua([[return vim.fn.getreg('q')]]):find(vim.split(text, '\n')[1], 1, true) ~= nil
  end)
  input(':enew!<CR>@q')
  wait('the macro', function()
    return test.buffer() == 'acc' .. text .. 'x'
  end)
  seen('a macro puts in what was accepted: ' .. vim.inspect(test.buffer()))
end)

-- Built-in completion: Tab accepts ghost text and ends the menu; a marked item is the menu's.
scenario('menu', function()
  lua([[vim.o.completeopt = 'menuone']])
  local before = open('menu.rs', samples.rust)
  type_text('acc')
  shown()
  input('<C-x><C-n>')
  wait('the menu', function()
    return lua('return vim.fn.pumvisible()') == 1
  end)
  wait('ghost text behind the inserted word', function()
    return ghost() ~= '' and test.buffer() == before .. 'account'
  end)
  test.settle()
  local text = ghost()
  tab()
  expect('the menu', lua('return vim.fn.pumvisible()'), 0)
  before = before .. 'account' .. text
  expect('the buffer', test.buffer(), before)
  type_text('x')
  expect('what is typed next', test.buffer(), before .. 'x')
  seen('over the built-in menu, Tab accepts and ends it: ' .. vim.inspect('account' .. text))
  lua([[vim.o.completeopt = 'menuone,noinsert']])
  before = open('marked.rs', samples.rust)
  type_text('acc')
  shown()
  input('<C-x><C-n>')
  wait('the menu', function()
    return lua('return vim.fn.pumvisible()') == 1
  end)
  test.settle()
  expect('ghost text beside a marked item', ghost(), '')
  input('<C-y>')
  wait('the item', function()
    return test.buffer() == before .. 'account'
  end)
  expect('the ghost text', shown(), fresh())
  lua([[vim.cmd('set completeopt&')]])
  seen('a marked item of the menu is not covered by ghost text')
end)

-- Where nothing is shown, keys do what they did.
scenario('nothing', function()
  open('fall.txt', { 'zzz' })
  lua('vim.b.tabahead_enabled = false')
  input('<Tab>')
  wait('a tab', function()
    return test.buffer() == 'zzz\t'
  end)
  test.settle()
  expect('ghost text where it is not wanted', ghost(), '')
  lua('vim.b.tabahead_enabled = true')
  seen('without ghost text, Tab is a tab')
end)

-- Switched off and on.
scenario('off', function()
  local before = open('off.rs', samples.rust)
  input('<Esc>:Tabahead disable<CR>A')
  type_text('acc')
  expect('ghost text', ghost(), '')
  expect('the server follows the buffer', is_attached(), false)
  input('<Esc>:Tabahead enable<CR>A')
  wait('the server to follow it', is_attached)
  expect('the ghost text', shown(), fresh())
  input('<Esc>:Tabahead disable buffer<CR>')
  wait('the server to leave it', function()
    return not is_attached()
  end)
  input(':Tabahead enable buffer<CR>')
  wait('the server to follow it', is_attached)
  seen('`:Tabahead disable` and `enable`, for all and for one buffer')
end)

-- What a status line shows.
scenario('status', function()
  open('status.rs', samples.rust)
  wait('the status', function()
    return lua([[return require('tabahead').statusline()]]) == 'tabahead'
  end)
  open('secret.env', { 'KEY=1', '' })
  wait('the status', function()
    return lua([[return require('tabahead').statusline()]]) == 'tabahead off'
  end)
  local state = lua([[return { require('tabahead.status').state() }]])
  seen('in a file that looks secret: ' .. state[1] .. ', ' .. state[2])
end)

-- The commands.
scenario('commands', function()
  open('commands.rs', samples.rust)
  shown()
  input('<Esc>:Tabahead status<CR>')
  wait('the status', function()
    return lua([[return vim.fn.execute('messages')]]):find('tabahead: idle %(.*mini') ~= nil
  end)
  input(':Tabahead stats<CR>')
  wait('the figures', function()
    return test.buffer():find('computed ahead', 1, true) ~= nil
  end)
  seen('figures:\n' .. test.buffer())
  input('q')
  expect('completion', lua([[return vim.fn.getcompletion('Tabahead ', 'cmdline')]]), {
    'disable',
    'enable',
    'log',
    'model',
    'restart',
    'stats',
    'status',
    'suggest',
  })
  expect(
    'completion of a place',
    lua([[return vim.fn.getcompletion('Tabahead disable ', 'cmdline')]]),
    { 'buffer' }
  )
  lua([[vim.cmd('checkhealth tabahead')]])
  local health = test.buffer()
  for _, expected in ipairs({ 'tabahead %d', 'the server runs', '<Tab> is accept' }) do
    if not health:find(expected) then
      test.fail('"' .. expected .. '" is not in the health report')
    end
  end
  if health:find('ERROR') then
    test.fail('the health report has errors')
  end
  seen('`:checkhealth tabahead` finds everything')
  input(':tabclose<CR>')
end)

-- The server is killed while somebody types: nothing is lost, and the next one goes on.
scenario('killed', function()
  local before = open('killed.rs', samples.rust)
  type_text('acc')
  shown()
  lua('vim.cmd.messages("clear")')
  local killed = server()
  vim.uv.kill(test.settle().pid, 'sigkill')
  input('ount')
  wait('the letters', function()
    return test.buffer() == before .. 'account'
  end)
  wait('another server', function()
    local now = server()
    return now ~= nil and now ~= killed
  end)
  expect('the ghost text', shown(), fresh())
  local text = tab()
  expect('the buffer', test.buffer(), before .. 'account' .. text)
  expect('messages', lua([[return vim.fn.execute('messages')]]), '')
  seen('the server was killed while typing; another one went on with ' .. vim.inspect(text))
  killed = server()
  input('<Esc>:Tabahead restart<CR>')
  wait('another server', function()
    local now = server()
    return now ~= nil and now ~= killed
  end)
  seen('`:Tabahead restart`')
end)

-- A buffer without a name is nobody's; named, it is followed.
scenario('unnamed', function()
  input(':enew!<CR>ilet x = <Esc>')
  wait('the text', function()
    return test.buffer() == 'let x = '
  end)
  expect('followed without a name', is_attached(), false)
  input(':file ' .. folder .. '/named.rs<CR>')
  wait('the server to follow it', is_attached)
  seen('a new buffer is followed from when it has a name')
end)

test.finish(0)
