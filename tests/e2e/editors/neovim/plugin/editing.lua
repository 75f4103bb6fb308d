-- The plug-in together with Neovim's other features: windows, buffers, undo, macros, menus.

local actor = require('plugin.actor')
local samples = require('samples')
local test = require('harness')
local lua, input, expect, wait, seen = test.lua, test.input, test.expect, test.wait, test.seen

-- Two windows on one buffer: text typed and accepted in one appears in both.
actor.scenario('windows', function()
  local before = actor.open('windows.rs', samples.rust)
  input('<Esc>:split<CR>GA')
  actor.type_text('acc')
  before = before .. 'acc'
  actor.shown()
  before = before .. actor.accept()
  input('<Esc><C-w>jGA')
  local text = actor.shown()
  expect('the ghost text', text, actor.fresh())
  actor.accept()
  before = before .. text
  expect('the buffer', test.buffer(), before)
  local credit = vim.pesc(before:sub(before:find('    pub fn credit', 1, true), -1))
  expect('windows that show it', select(2, test.screen():gsub(credit, '')), 2)
  -- A change from elsewhere, such as a formatter's, while ghost text is shown.
  actor.shown()
  -- Counted in the same command: an answer for the new text may arrive before the next one.
  local marks = lua([[
    vim.api.nvim_buf_set_lines(0, 0, 1, true, { '/// Another first line.' })
    local namespace = vim.api.nvim_get_namespaces()['tabahead']
    return #vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, {})
  ]])
  expect('ghost text of the old text', marks, 0)
  input('<Esc>:only<CR>')
  seen('two windows on one buffer')
end)

-- Two buffers: each has its own ghost text.
actor.scenario('buffers', function()
  local one = actor.open('one.rs', samples.rust)
  actor.type_text('acc')
  actor.shown()
  local two = actor.open('two.go', samples.go)
  local text = actor.shown()
  actor.tab()
  expect('the second buffer', test.buffer(), two .. text)
  input('<Esc>:buffer one.rs<CR>')
  wait('the first buffer', function()
    return vim.endswith(lua('return vim.api.nvim_buf_get_name(0)'), 'one.rs')
  end)
  expect('the first buffer', test.buffer(), one .. 'acc')
  input('A')
  text = actor.shown()
  expect('its ghost text', text, actor.fresh())
  actor.tab()
  expect('the first buffer', test.buffer(), one .. 'acc' .. text)
  input('<Esc>:wall<CR>')
  seen('two buffers, each with its own')
end)

-- At the bottom of the window, the text scrolls as it would for an accept: ghost text is never out
-- of sight.
actor.scenario('bottom', function()
  lua([[vim.o.winbar = 'a bar']])
  local lines = {}
  for number = 1, 30 do
    lines[number] = '// line ' .. number
  end
  vim.list_extend(lines, vim.list_slice(samples.rust, 1, #samples.rust - 1))
  actor.open('bottom.rs', vim.list_extend(lines, { '            account: account.to_owned(),' }))
  input('<Esc>G$zba')
  local text = actor.shown()
  expect('a ghost line', text:sub(1, 1), '\n')
  local rows = vim.split(test.screen(), '\n')
  expect('the last row', rows[#rows], text:match('[^\n]*$'))
  lua([[vim.o.winbar = '']])
  seen('at the end of the window: ' .. vim.inspect(text))
end)

-- The file is reloaded while ghost text is shown.
actor.scenario('again', function()
  local before = actor.open('again.rs', samples.rust)
  actor.type_text('acc')
  actor.shown()
  input('<C-o>:e!<CR>')
  wait('the file as it is on the disk', function()
    return test.buffer() == before
  end)
  input('<Esc>GA')
  actor.type_text('acco')
  local text = actor.shown()
  expect('the ghost text', text, actor.fresh())
  actor.tab()
  expect('the buffer', test.buffer(), before .. 'acco' .. text)
  seen('`:e!` took text and ghost text back, and what follows is right')
end)

-- The dot repeats an accept together with the text typed around it.
actor.scenario('dot', function()
  actor.open('dot.rs', vim.list_extend({ '', '' }, samples.rust))
  actor.type_text('acc')
  local text = actor.tab(0, (actor.shown()))
  input('<Esc>gg.')
  wait('the dot to repeat it', function()
    local expected = vim.split('acc' .. text, '\n')
    return vim.deep_equal(vim.list_slice(vim.split(test.buffer(), '\n'), 1, #expected), expected)
  end)
  seen('`.` repeats what was typed and accepted: ' .. vim.inspect('acc' .. text))
end)

-- A macro records the accepted text, not the key.
actor.scenario('macro', function()
  actor.open('macro.rs', samples.rust)
  input('<Esc>qqA')
  wait('insert mode', function()
    return lua('return vim.api.nvim_get_mode().mode') == 'i'
  end)
  actor.type_text('acc')
  local text = actor.tab(0, (actor.shown()))
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

--- Opens the built-in menu with the words of the buffer.
local function open_menu()
  input('<C-x><C-n>')
  wait('the menu', function()
    return lua('return vim.fn.pumvisible()') == 1
  end)
end

-- Built-in completion: Tab accepts ghost text and closes the menu. A marked item belongs to the
-- menu, so no ghost text is shown beside it.
actor.scenario('menu', function()
  lua([[vim.o.completeopt = 'menuone']])
  local before = actor.open('menu.rs', samples.rust)
  actor.type_text('acc')
  actor.shown()
  open_menu()
  wait('ghost text after the inserted word', function()
    return actor.ghost() ~= '' and test.buffer() == before .. 'account'
  end)
  test.settle()
  local text = actor.ghost()
  actor.tab()
  expect('the menu', lua('return vim.fn.pumvisible()'), 0)
  before = before .. 'account' .. text
  expect('the buffer', test.buffer(), before)
  actor.type_text('x')
  expect('what is typed next', test.buffer(), before .. 'x')
  seen('over the built-in menu, Tab accepts and ends it: ' .. vim.inspect('account' .. text))
  lua([[vim.o.completeopt = 'menuone,noinsert']])
  before = actor.open('marked.rs', samples.rust)
  actor.type_text('acc')
  actor.shown()
  open_menu()
  test.settle()
  expect('ghost text beside a marked item', actor.ghost(), '')
  input('<C-y>')
  wait('the item', function()
    return test.buffer() == before .. 'account'
  end)
  expect('the ghost text', actor.shown(), actor.fresh())
  lua([[vim.cmd('set completeopt&')]])
  seen('a marked item of the menu is not covered by ghost text')
end)

-- Without ghost text, keys do what they did before.
actor.scenario('nothing', function()
  actor.open('fall.txt', { 'zzz' })
  lua('vim.b.tabahead_enabled = false')
  input('<Tab>')
  wait('a tab', function()
    return test.buffer() == 'zzz\t'
  end)
  test.settle()
  expect('ghost text where it is not wanted', actor.ghost(), '')
  lua('vim.b.tabahead_enabled = true')
  seen('without ghost text, Tab is a tab')
end)

-- After any changes to the text, the ghost text is what a separate process suggests that sees only
-- the result.
actor.scenario('anything', function()
  -- A pseudo-random sequence of numbers, the same in each run.
  local state = tonumber(vim.env.SEED) or 1
  local function random(limit)
    state = (state * 1103515245 + 12345) % 2147483648
    return math.floor(state / 65536) % limit + 1
  end
  local pieces = {
    'acc',
    'x',
    ' ',
    '\t',
    '(',
    ')',
    '{',
    '漢字',
    '🙂',
    'é',
    '"',
    'self.',
    '<CR>',
    '<CR><CR>',
    '<BS>',
    '<C-w>',
  }
  local moves = { '<Up>', '<Down>', '<Home>', '<End>', '<Left>', '<C-o>3G', '<C-o>G', '<C-o>w' }
  local acts = {
    '<C-o>dd',
    '<C-o>D',
    '<C-o>u',
    '<C-o><C-r>',
    '<C-o>yy<C-o>p',
    '<C-o>>><C-o>A',
    '<C-o>J',
    '<C-o>:2,4m$<CR>',
    '<C-o>:3t.<CR>',
    '<C-o>:%s/amount/größe/<CR>',
    '<C-o>:silent g/comment/d<CR>',
    '<C-o>ggyG<C-o>P',
    '<Esc>:sort<CR>A',
    '<Tab>',
    '<C-Right>',
    '<M-End>',
    '<C-r><C-o>"',
  }
  local rounds = tonumber(vim.env.ROUNDS) or 40
  local shown = 0
  for round = 1, rounds do
    if round % 20 == 1 then
      local ending = round % 40 == 1 and '\n' or '\r\n'
      actor.open(('anything-%d.rs'):format(round), samples.rust, ending)
    end
    local keys = {}
    for _ = 1, random(6) do
      local kind = random(10)
      local from = kind <= 6 and pieces or kind <= 8 and moves or acts
      table.insert(keys, from[random(#from)])
    end
    local typed = table.concat(keys)
    input(typed .. '<C-g>u')
    -- The keys have been handled once the command sent after them has run.
    lua('vim.g.taken = 0')
    input('<Cmd>let g:taken = 1<CR>')
    wait('the keys to be taken', function()
      return lua('return vim.g.taken') == 1
    end)
    test.settle()
    if lua('return vim.fn.pumvisible()') == 0 and lua('return vim.api.nvim_get_mode().mode') == 'i' then
      local text, covered = actor.fresh()
      local column = test.cursor()[2]
      local line = lua('return vim.api.nvim_get_current_line()')
      local expected = line:sub(1, column) .. text .. line:sub(column + covered + 1)
      expect(('what is read after %s in round %d'):format(typed, round), actor.drawn(), expected)
      shown = shown + (text ~= '' and 1 or 0)
    end
  end
  seen(
    ('%d rounds of any keys: what was shown, %d times, is what the text alone gives'):format(rounds, shown)
  )
end)
