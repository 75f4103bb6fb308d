-- The user asks what is wrong, and gives commands arguments.

local actor = require('plugin.actor')
local samples = require('samples')
local test = require('harness')
local lua, input, expect, wait, seen = test.lua, test.input, test.expect, test.wait, test.seen

local function messages()
  return vim.trim(lua([[return vim.fn.execute('messages')]]))
end

--- Restarts the server with this configuration file, or without one, and waits for a state.
---@param text? string
---@param state string
local function restart(text, state)
  local folder = vim.env.XDG_CONFIG_HOME .. '/tabahead'
  local path = folder .. '/config.toml'
  vim.fn.mkdir(folder, 'p')
  vim.fn.delete(path)
  if text then
    vim.fn.writefile({ text }, path)
  end
  -- A model that was chosen for this session would take precedence.
  lua([[
    vim.cmd.messages('clear')
    require('tabahead.config').options.settings.model = nil
  ]])
  input('<Esc>:Tabahead restart<CR>')
  wait('the restart', function()
    return messages():find('restarted, version', 1, true) ~= nil
  end)
  wait('the state ' .. state, function()
    return lua([[return (require('tabahead.status').state())]]) == state
  end)
end

-- What is wrong is shown whole, however long its path is, and no key is waited for.
actor.scenario('status whole', function()
  local name = 'a folder with a long name/' .. ('and another one/'):rep(8) .. 'gone.gguf'
  actor.open('whole.rs', samples.rust)
  restart(('model = "%s"'):format(name), 'failed')
  for _, command in ipairs({ 'Tabahead', 'Tabahead status' }) do
    input(':' .. command .. '<CR>')
    wait('its window', function()
      return lua('return vim.api.nvim_buf_get_name(0)') == 'tabahead://status'
    end)
    local rows = test.screen():gsub('%s', '')
    expect('the path', rows:find(name:gsub('%s', ''), 1, true) ~= nil, true)
    expect('what to do', rows:find('givethepathofaGGUFfile(version', 1, true) ~= nil, true)
    expect('no key is waited for', lua('return vim.api.nvim_get_mode().blocking'), false)
    input('q')
    wait('the file', function()
      return vim.endswith(lua('return vim.api.nvim_buf_get_name(0)'), 'whole.rs')
    end)
  end
  restart(nil, 'idle')
  seen('`:Tabahead status` shows a long path whole')
end)

-- The rest of the line is one argument, as of `:edit`; too much is an error on one line.
actor.scenario('arguments', function()
  actor.open('arguments.rs', samples.rust)
  local folder = actor.folder .. '/my models'
  vim.fn.mkdir(folder, 'p')
  actor.copy_model(folder .. '/my own copy.gguf')
  local function complete(rest)
    return lua('return vim.fn.getcompletion(..., "cmdline")', 'Tabahead model ' .. rest)
  end
  lua('vim.cmd.cd(...)', actor.folder)
  expect('after a blank', complete('my mod'), { 'models/' })
  expect('after two', complete('my models/my o'), { 'own\\ copy.gguf' })
  expect('after an escaped one', complete('my\\ models/my\\ o'), { 'my\\ models/my\\ own\\ copy.gguf' })
  expect('after one of each', complete('my\\ models/my o'), { 'own\\ copy.gguf' })
  local function wait_for(model)
    wait('the model', function()
      local now = test.stats()
      return now ~= nil and vim.startswith(now.model.id or '', model)
    end)
  end
  input('<Esc>')
  for _, rest in ipairs({ 'my models/my own copy.gguf  ', 'my models/my\\ own copy.gguf' }) do
    input(':Tabahead model ' .. rest .. '<CR>')
    wait_for('tabahead-copy')
    input(':Tabahead model mini <CR>')
    wait_for('tabahead-mini')
  end
  lua('vim.cmd.Tabahead({ args = { "model", ... } })', folder .. '/my own copy.gguf')
  wait_for('tabahead-copy')
  lua('vim.cmd.Tabahead("model", "mini")')
  wait_for('tabahead-mini')
  for line, message in pairs({
    ['status x y'] = 'tabahead: `status` takes no argument, such as "x y"',
    ['restart now'] = 'tabahead: `restart` takes no argument, such as "now"',
    ['disable buffer x'] = 'tabahead: "buffer x" is no place; there is `buffer`, and nothing for all',
  }) do
    lua([[vim.cmd.messages('clear')]])
    input(':Tabahead ' .. line .. '<CR>')
    wait('the message', function()
      return messages() ~= ''
    end)
    expect('the message', messages():sub(1, 60), message:sub(1, 60))
    expect('no key is waited for', lua('return vim.api.nvim_get_mode().blocking'), false)
  end
  expect('the server follows the buffer', actor.is_attached(), true)
  lua([[vim.cmd.cd('-')]])
  vim.fn.delete(folder, 'rf')
  seen('a path with blanks, and arguments that are too many')
end)

-- What the user did not switch off is a warning, in whatever buffer; what he did is none.
actor.scenario('health', function()
  local function health()
    lua([[vim.cmd('checkhealth tabahead')]])
    test.settle()
    return test.buffer()
  end
  local function expect_line(report, pattern)
    expect(pattern .. ' in ' .. report, report:find(pattern) ~= nil, true)
  end
  actor.open('health.rs', samples.rust)
  restart('model = ', 'paused')
  wait('the message', function()
    return type(lua([[return require('tabahead.status').message]])) == 'string'
  end)
  for _ = 1, 2 do
    local report = health()
    expect_line(report, 'WARNING the server runs and is paused: off, because')
    expect_line(report, 'WARNING the server reported: [^\n]*config.toml: line 1')
  end
  actor.open('health.rs', samples.rust)
  restart('languages = { rust = false }', 'paused')
  local report = health()
  expect_line(report, 'OK the server runs and is paused: off for this language')
  expect('a warning', report:find('WARNING the server', 1, true), nil)
  actor.open('health.rs', samples.rust)
  restart(nil, 'idle')
  expect_line(health(), 'OK the server runs and is idle')
  lua([[vim.cmd('silent! tabonly!')]])
  seen('`:checkhealth tabahead` warns of settings that cannot be read')
end)
