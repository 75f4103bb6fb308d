-- The plug-in is disabled and enabled, asked for its state, killed and restarted.

local actor = require('plugin.actor')
local samples = require('samples')
local test = require('harness')
local lua, input, expect, wait, seen = test.lua, test.input, test.expect, test.wait, test.seen

-- Disabling and enabling.
actor.scenario('off', function()
  actor.open('off.rs', samples.rust)
  input('<Esc>:Tabahead disable<CR>A')
  actor.type_text('acc')
  expect('ghost text', actor.ghost(), '')
  expect('the server follows the buffer', actor.is_attached(), false)
  input('<Esc>:Tabahead enable<CR>A')
  wait('the server to follow it', actor.is_attached)
  expect('the ghost text', actor.shown(), actor.fresh())
  input('<Esc>:Tabahead disable buffer<CR>')
  wait('the server to leave it', function()
    return not actor.is_attached()
  end)
  input(':Tabahead enable buffer<CR>')
  wait('the server to follow it', actor.is_attached)
  seen('`:Tabahead disable` and `enable`, for all and for one buffer')
end)

-- The prompt at the cursor is read ahead when a file is opened and when the cursor comes to rest.
actor.scenario('reading', function()
  local lines = {}
  for number = 1, 400 do
    table.insert(lines, ('let width_%d = measure(side_%d, "side %d");'):format(number, number, number))
  end
  local path = actor.folder .. '/reading.rs'
  vim.fn.writefile(lines, path)
  input('<Esc><Esc>')
  local before = test.stats()
  local reads = before and before.reads_ahead.finished or 0
  local function wait_for_reads(count)
    local stats
    wait('the prompt to be read ahead', function()
      stats = test.settle()
      return stats.reads_ahead.finished >= reads + count
    end)
    return stats
  end
  lua('vim.cmd.edit(...)', path)
  wait('the server to follow it', actor.is_attached)
  wait_for_reads(1)
  lua('vim.api.nvim_win_set_cursor(0, { 200, 0 })')
  wait_for_reads(2)
  -- The text changes, but the cursor does not move.
  input('D')
  before = wait_for_reads(3)
  input('i.')
  wait('the key to be typed and asked about', function()
    return lua('return vim.api.nvim_get_current_line()') == '.' and test.stats().requests > before.requests
  end)
  local after = test.settle()
  local read = after.tokens.prefilled - before.tokens.prefilled
  if before.tokens.prefilled < 400 or read > 100 then
    test.fail(('%d tokens were read ahead, and %d for the first key'):format(before.tokens.prefilled, read))
  end
  seen(('the prompt at the cursor was read ahead; the first key left %d tokens to read'):format(read))
end)

-- The text for a status line.
actor.scenario('status', function()
  actor.open('status.rs', samples.rust)
  wait('the status', function()
    return lua([[return require('tabahead').statusline()]]) == 'tabahead'
  end)
  actor.open('secret.env', { 'KEY=1', '' })
  wait('the status', function()
    return lua([[return require('tabahead').statusline()]]) == 'tabahead off'
  end)
  local state = lua([[return { require('tabahead.status').state() }]])
  seen('in a file that looks secret: ' .. state[1] .. ', ' .. state[2])
end)

-- Ghost text looks different from text, with all colours and with 256, and a colour scheme may set
-- its look.
actor.scenario('looks', function()
  actor.open('looks.rs', samples.rust)
  actor.shown()
  local function group()
    return lua([[return vim.api.nvim_get_hl(0, { name = 'TabaheadSuggestion', link = false })]])
  end
  local default = group()
  expect('colours', { default.fg ~= nil, default.ctermfg ~= nil }, { true, true })
  lua([[vim.cmd('highlight TabaheadSuggestion ctermfg=3 guifg=#112233')]])
  expect('the colour', { group().fg, group().ctermfg }, { 0x112233, 3 })
  lua([[vim.cmd.colorscheme('default')]])
  expect('the default again', group(), default)
  seen('ghost text has colours of its own')
end)

-- The commands.
actor.scenario('commands', function()
  actor.open('commands.rs', samples.rust)
  actor.shown()
  input('<Esc>:Tabahead status<CR>')
  wait('the status', function()
    return lua([[return vim.fn.execute('messages')]]):find('tabahead: idle %(.*mini') ~= nil
  end)
  input(':Tabahead stats<CR>')
  wait('the figures', function()
    return test.buffer():find('computed ahead', 1, true) ~= nil
  end)
  input(':Tabahead log<CR>')
  wait('the log', function()
    return vim.endswith(lua('return vim.api.nvim_buf_get_name(0)'), 'lsp.log')
  end)
  input(':tabclose<CR>')
  wait('the figures again', function()
    return test.buffer():find('computed ahead', 1, true) ~= nil
  end)
  -- From another window, too, the figures are shown in the one that is there.
  input('<C-w>p:Tabahead stats<CR>')
  wait('the window of the figures', function()
    return test.buffer():find('computed ahead', 1, true) ~= nil
  end)
  expect('windows', lua('return #vim.api.nvim_tabpage_list_wins(0)'), 2)
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

-- Other keys: the old mappings are restored, and a mapping of the user is called if there is
-- nothing to accept.
actor.scenario('keys', function()
  lua([[
    vim.keymap.set('i', '<C-l>', function() return 'mine' end, { expr = true })
    local options = require('tabahead.config').options
    require('tabahead').setup({
      cmd = options.cmd,
      settings = options.settings,
      keys = { accept = '<C-l>', dismiss = false },
    })
  ]])
  local before = actor.open('keys.rs', samples.rust)
  actor.type_text('acc')
  before = before .. 'acc'
  local text = actor.shown()
  input('<C-l>')
  before = before .. text
  wait('the accepted text', function()
    return test.buffer() == before
  end)
  test.settle()
  input('<Esc>:Tabahead disable buffer<CR>A<C-l><Tab><C-]>x')
  wait('what the keys did before', function()
    local now = test.buffer()
    return vim.startswith(now, before) and now:sub(#before + 1):match('^mine%s+%]x$') ~= nil
  end)
  -- What is wrong is reported without a traceback, and the rest holds.
  local reported = lua([[
    local reported = {}
    local notify = vim.notify
    vim.notify = function(text) table.insert(reported, text) end
    local options = require('tabahead.config').options
    require('tabahead').setup({
      cmd = options.cmd,
      settings = options.settings,
      key = {},
      auto = false,
      keys = { accept = 1, next = '<C-n>' },
    })
    vim.notify = notify
    table.sort(reported)
    options = require('tabahead.config').options
    return { reported, options.auto, options.keys.accept, options.keys.next }
  ]])
  expect('reports of wrong options', reported, {
    {
      'tabahead: option "keys.accept" must be a string or boolean, not a number',
      'tabahead: there is no option "key"; there are auto, cmd, keys, settings',
    },
    false,
    '<Tab>',
    '<C-n>',
  })
  lua([[
    vim.keymap.del('i', '<C-l>')
    local options = require('tabahead.config').options
    require('tabahead').setup({ cmd = options.cmd, settings = options.settings })
  ]])
  seen('keys were changed, taken away and given back')
end)

local function messages()
  return lua([[return vim.fn.execute('messages')]])
end

---@return string
local function model()
  local now = test.stats()
  return now and now.model.id or ''
end

-- Switches to another model by its file, and back. Meanwhile the previous model answers, and no
-- text is inserted or lost.
actor.scenario('model', function()
  local before = actor.open('model.rs', samples.rust)
  local text = actor.shown()
  local folder = actor.folder .. '/models'
  vim.fn.mkdir(folder .. '/more', 'p')
  local copy = actor.copy_model(folder .. '/a copy.gguf')
  io.open(folder .. '/notes.txt', 'w'):close()
  local line = 'Tabahead model ' .. folder .. '/'
  expect('completion of a model', lua('return vim.fn.getcompletion(..., "cmdline")', line), {
    folder .. '/a\\ copy.gguf',
    folder .. '/more/',
  })
  expect(
    'completion after a blank',
    lua('return vim.fn.getcompletion(..., "cmdline")', line .. 'a\\ co'),
    { folder .. '/a\\ copy.gguf' }
  )
  expect(
    'completion of no file',
    lua([[return vim.fn.getcompletion('Tabahead model mi', 'cmdline')]])[1],
    'mini'
  )
  lua([[
    vim.cmd.messages('clear')
    _G.statuses = {}
    vim.api.nvim_create_autocmd('User', {
      group = vim.api.nvim_create_augroup('statuses', {}),
      pattern = 'TabaheadStatus',
      callback = function() table.insert(_G.statuses, require('tabahead').statusline()) end,
    })
  ]])

  -- The path is relative to Neovim's folder. Ghost text is shown, and insert mode is not left.
  lua('vim.cmd.cd(...)', folder)
  lua([[vim.cmd('Tabahead model a\\ copy.gguf')]])
  wait('the other model', function()
    return vim.startswith(model(), 'tabahead-copy')
  end)
  wait('a request to the other model', function()
    return test.stats().requests > 0
  end)
  expect('the ghost text by the other model', actor.shown(), text)
  wait('the message', function()
    return messages():find('the model is tabahead%-copy') ~= nil
  end)
  local percent = vim.tbl_filter(function(status)
    return status:match('^tabahead %d+/100$') ~= nil
  end, lua('return _G.statuses'))
  expect('a status with how much is read', #percent > 0, true)
  expect('the statusline', lua([[return require('tabahead').statusline()]]), 'tabahead')
  expect('the buffer', test.buffer(), before)
  seen('another model took over in insert mode: ' .. percent[1] .. ', then its own ghost text')

  -- A refused model changes nothing and is reported on one line: with the reason in the message
  -- and in what is shown of it.
  local broken = vim.fs.normalize(vim.env.PLUGIN .. '/../../crates/tabahead-engine/tests/fixtures/qwen3.gguf')
  for path, reason in pairs({
    [folder .. '/gone.gguf'] = { "there is nothing at '" .. folder .. "/gone.gguf'", '/gone.gguf' },
    [broken] = { 'tokenizer', 'tokenizer' },
  }) do
    lua([[vim.cmd.messages('clear')]])
    input('<Esc>:Tabahead model ' .. path .. '<CR>')
    local message
    wait('the reason', function()
      message = lua([[return require('tabahead.status').message]])
      return type(message) == 'string' and message:find(reason[1], 1, true) ~= nil
    end)
    expect('no key is waited for', lua('return vim.api.nvim_get_mode().blocking'), false)
    -- A line of 80 columns may have no room for all of it: the folders go first.
    expect('the reason in the line', messages():find(reason[2], 1, true) ~= nil, true)
    expect('the end of it', vim.endswith(message, '; the model before it stays'), true)
    seen((message:gsub(actor.folder, '')))
    expect('the model', vim.startswith(model(), 'tabahead-copy'), true)
    input('A')
    expect('the ghost text', actor.shown(), text)
    expect('the model of a restart', lua([[return require('tabahead.config').options.settings.model]]), copy)
  end

  input('<Esc>:Tabahead model mini<CR>')
  wait('the built-in model', function()
    return vim.startswith(model(), 'tabahead-mini')
  end)
  input('A')
  expect('the ghost text', actor.shown(), actor.fresh())
  expect('the buffer', test.buffer(), before)
  lua([[vim.api.nvim_del_augroup_by_name('statuses') vim.cmd.cd('-')]])
  vim.fn.delete(copy)
  seen('the built-in model again')
end)

-- The server is killed while the user types: nothing is lost, and the next server continues.
actor.scenario('killed', function()
  local before = actor.open('killed.rs', samples.rust)
  actor.type_text('acc')
  actor.shown()
  lua('vim.cmd.messages("clear")')
  local killed = actor.server()
  vim.uv.kill(test.settle().pid, 'sigkill')
  input('ount')
  wait('the letters', function()
    return test.buffer() == before .. 'account'
  end)
  wait('another server', function()
    local now = actor.server()
    return now ~= nil and now ~= killed
  end)
  expect('the ghost text', actor.shown(), actor.fresh())
  local text = actor.tab()
  expect('the buffer', test.buffer(), before .. 'account' .. text)
  expect('messages', lua([[return vim.fn.execute('messages')]]), '')
  seen('the server was killed while typing; another one continued with ' .. vim.inspect(text))
  killed = actor.server()
  input('<Esc>:Tabahead restart<CR>')
  wait('another server', function()
    local now = actor.server()
    return now ~= nil and now ~= killed
  end)
  wait('the report, alone', function()
    return vim
      .trim(lua([[return vim.fn.execute('messages')]]))
      :match('^tabahead: restarted, version %d[%d.]+$') ~= nil
  end)
  seen('`:Tabahead restart` says that it did')
end)

-- A program that ends at once, and one that does not exist: one message each, and everything else
-- continues.
actor.scenario('broken', function()
  actor.open('broken.rs', samples.rust)
  local working = lua([[return require('tabahead.config').options.cmd]])
  for program, reason in pairs({
    ['false'] = 'the server keeps ending',
    ['no-such-program'] = 'no program "no-such-program"',
  }) do
    lua([[vim.cmd.messages('clear') require('tabahead.config').options.cmd = { ... }]], program)
    input('<Esc>:Tabahead restart<CR>')
    local message
    wait('a message', function()
      message = lua([[return vim.fn.execute('messages')]])
      return message:find(reason, 1, true) ~= nil
    end)
    expect('messages', select(2, vim.trim(message):gsub('\n', '')), 0)
    expect('the state', lua([[return (require('tabahead.status').state())]]), 'failed')
    expect('the statusline', lua([[return require('tabahead').statusline()]]), 'tabahead !')
    input('Ax<BS><Tab><BS><Esc>')
    seen(vim.trim(message))
  end
  expect('the buffer', test.buffer(), table.concat(samples.rust, '\n'))
  lua([[require('tabahead.config').options.cmd = ...]], working)
  input(':Tabahead restart<CR>')
  wait('the server to follow it', actor.is_attached)
  seen('with a program that works, `:Tabahead restart` is enough')
end)

-- A buffer without a name is not followed; once it is named, it is.
actor.scenario('unnamed', function()
  input(':enew!<CR>ilet x = <Esc>')
  wait('the text', function()
    return test.buffer() == 'let x = '
  end)
  expect('followed without a name', actor.is_attached(), false)
  -- While a server starts, that is what the status shows.
  wait('the server to have started', function()
    return lua([[return (require('tabahead.status').state_of_server())]]) ~= 'thinking'
  end)
  lua('vim.cmd.messages("clear")')
  input(':Tabahead status<CR>')
  wait('the reason', function()
    return lua([[return vim.fn.execute('messages')]]):find(
      'tabahead: paused: this buffer has no name',
      1,
      true
    ) ~= nil
  end)
  input(':file ' .. actor.folder .. '/named.rs<CR>')
  wait('the server to follow it', actor.is_attached)
  seen('a new buffer is followed from when it has a name')
end)
