-- Measures how long a user waits for ghost text: for the next letter of a suggestion, for another
-- suggestion, and from Tab to the next one. Not a test.
--
--   NVIM=nvim TABAHEAD=target/release/tabahead nvim --clean -l tests/e2e/editors/neovim/latency.lua
--
-- compares the plug-in with Neovim's own inline completion (0.12), in one run, alternating after a
-- few keys. With LLAMA_VIM, a folder that holds the plug-in llama.vim, and LLAMA_ENDPOINT, the
-- `/infill` of a running llama.cpp server, it also measures llama.vim. A wait ends with the first
-- frame on the screen that stays unchanged until the next key. `KEYS` and `ACCEPTS` are the minimum
-- numbers of measurements, if that much is suggested. `PAUSE` is the time between two keys, in
-- milliseconds.

local scripts = vim.fs.dirname(vim.fn.fnamemodify(arg[0], ':p'))
package.path = scripts .. '/?.lua;' .. package.path
local samples = require('samples')
local terminal = require('terminal')

local nvim = assert(vim.env.NVIM, 'NVIM must name the Neovim to measure in')
local program = vim.fn.fnamemodify(assert(vim.env.TABAHEAD, 'TABAHEAD must name the program'), ':p')
local keys = tonumber(vim.env.KEYS) or 50
local accepts = tonumber(vim.env.ACCEPTS) or 50
local pause = tonumber(vim.env.PAUSE) or 500

--- Number of keys measured with one contender before the turn passes to the next.
local TURN = 10

--- Milliseconds from ghost text to Tab, for users who press Tab several times in a row.
local DWELL = 100

--- Text typed after the sample, over and over: code that is suggested in part.
local TEXT = table.concat({
  'account: owner.account.clone(),',
  'amount: amount.abs(),',
  'comment: Some(owner.comment.to_owned()),',
  'let total = entries.iter().map(|entry| entry.amount).sum::<i64>();',
  'if total < amount { return Err(total); }',
}, '\n') .. '\n'

local folder = vim.fn.tempname()
vim.fn.mkdir(folder .. '/config', 'p')

---@class Contender
---@field name string
---@field init string[]
---@field channel integer
---@field frames Frame[]
---@field catch_up fun()
---@field waits table<string, number[]>

local server = ("{ '%s', 'lsp' }"):format(program)

---@type Contender[]
local contenders = {
  {
    name = 'plug-in',
    init = {
      ("vim.opt.runtimepath:prepend('%s')"):format(vim.fs.normalize(scripts .. '/../../../../editors/nvim')),
      ("require('tabahead').setup({ cmd = %s })"):format(server),
    },
  },
  {
    name = 'built-in',
    init = {
      ("vim.lsp.config('tabahead', { cmd = %s })"):format(server),
      "vim.lsp.enable('tabahead')",
      'vim.lsp.inline_completion.enable()',
      "vim.keymap.set('i', '<Tab>', function()",
      "  if not vim.lsp.inline_completion.get() then return '<Tab>' end",
      'end, { expr = true })',
    },
  },
}
if vim.env.LLAMA_VIM then
  table.insert(contenders, {
    name = 'llama.vim',
    init = {
      ("vim.opt.runtimepath:prepend('%s')"):format(vim.env.LLAMA_VIM),
      -- With its figures after the text, every frame would differ.
      ("vim.g.llama_config = { endpoint_fim = '%s', show_info = 0 }"):format(assert(vim.env.LLAMA_ENDPOINT)),
    },
  })
end

---@param contender Contender
---@param code string
---@return any
local function lua(contender, code, ...)
  return vim.rpcrequest(contender.channel, 'nvim_exec_lua', code, { ... })
end

---@param contender Contender
---@param input string
local function press(contender, input)
  vim.rpcrequest(contender.channel, 'nvim_input', input)
end

--- Opens the sample in a file of its own and starts inserting at its end.
---@param contender Contender
---@param round string
local function open(contender, round)
  local path = ('%s/%s-%s.rs'):format(folder, contender.name, round)
  vim.fn.writefile(samples.rust, path)
  press(contender, '<Esc><Esc>')
  lua(contender, 'vim.cmd.edit({ args = { ... }, bang = true })', path)
  vim.wait(1000)
  press(contender, 'G$a')
  vim.wait(pause)
end

--- Returns the text drawn for the buffer, including ghost text: all rows but the last two.
---@param frame Frame
---@return string
local function picture(frame)
  return table.concat(frame.rows, '\n', 1, #frame.rows - 2)
end

--- Reports whether `frame` has text that is not in the buffer.
---@param contender Contender
---@param frame Frame
---@return boolean
local function has_ghost(contender, frame)
  local shown = picture(frame):gsub('~', ''):gsub('%s', '')
  local buffer = lua(contender, 'return vim.api.nvim_buf_get_lines(0, 0, -1, true)')
  return #shown > #(table.concat(buffer):gsub('%s', ''))
end

--- Presses `key` and waits. Returns the milliseconds until the frame that stays, and whether that
--- frame equals the one before the key, that is, the key was typed along. Returns nil if no ghost
--- text came.
---@param contender Contender
---@param key string
---@return number? time
---@return boolean? along
local function measure(contender, key)
  contender.catch_up()
  local frames = contender.frames
  local first = #frames + 1
  local before = picture(frames[#frames])
  local begin = vim.uv.hrtime()
  press(contender, key)
  vim.wait(pause)
  contender.catch_up()
  local last = frames[#frames]
  if #frames < first or not has_ghost(contender, last) then
    return nil
  end
  local at = #frames
  while at > first and picture(frames[at - 1]) == picture(last) do
    at = at - 1
  end
  return (frames[at].time - begin) / 1e6, picture(last) == before
end

--- Presses Tab and waits for new ghost text. Returns the milliseconds until it appears, or nil if
--- none does.
---@param contender Contender
---@return number?
local function measure_tab(contender)
  contender.catch_up()
  local frames = contender.frames
  local first = #frames + 1
  local accepted = lua(contender, 'return vim.api.nvim_buf_get_changedtick(0)')
  local begin = vim.uv.hrtime()
  press(contender, '<Tab>')
  local came = vim.wait(pause, function()
    return lua(contender, 'return vim.api.nvim_buf_get_changedtick(0)') ~= accepted
      and has_ghost(contender, frames[#frames])
  end, 5)
  if not came then
    return nil
  end
  local at = #frames
  while at > first and has_ghost(contender, frames[at - 1]) do
    at = at - 1
  end
  return (frames[at].time - begin) / 1e6
end

---@param times number[]
---@param share number
---@return number
local function quantile(times, share)
  table.sort(times)
  return times[math.max(1, math.ceil(share * #times))] or 0
end

for _, contender in ipairs(contenders) do
  local init = ('%s/%s.lua'):format(folder, contender.name)
  vim.fn.writefile(contender.init, init)
  local command = { nvim, '-u', init, '-i', 'NONE', '-n', '--embed', '--headless' }
  local env = { XDG_CONFIG_HOME = folder .. '/config', XDG_STATE_HOME = folder, XDG_DATA_HOME = folder }
  contender.channel = vim.fn.jobstart(command, { rpc = true, env = env })
  contender.frames, contender.catch_up = terminal.attach(lua(contender, 'return vim.v.servername'))
  contender.waits = { along = {}, another = {}, tab = {}, quick = {} }
end

--- Returns the smallest number of measurements of `kind` among the contenders.
---@param kind string
---@return integer
local function least(kind)
  local count = math.huge
  for _, contender in ipairs(contenders) do
    count = math.min(count, #contender.waits[kind])
  end
  return count
end

---@param kind string
---@param all integer
local function progress(kind, all)
  io.stderr:write(('\r%-10s %3d of %d '):format(kind, least(kind), all))
end

-- Keys: each contender types the same text, some letters per turn.
local letters = vim.fn.split(TEXT, '\\zs')
for _, contender in ipairs(contenders) do
  open(contender, 'keys')
end
local typed = 0
while least('another') < keys and typed < 3 * keys do
  for _, contender in ipairs(contenders) do
    for i = typed, typed + TURN - 1 do
      local letter = letters[i % #letters + 1]
      local time, along = measure(contender, letter == '\n' and '<CR>' or letter:gsub('<', '<lt>'))
      if time then
        table.insert(contender.waits[along and 'along' or 'another'], time)
      end
    end
  end
  typed = typed + TURN
  progress('another', keys)
end

-- Accepts: a chain in a new file each time, for as long as suggestions come. `tab` pauses before
-- each Tab; `quick` presses it soon after the ghost text appears.
local round = 0
local function chains(kind, press_next)
  local last = round + accepts / 2
  while least(kind) < accepts and round < last do
    round = round + 1
    for _, contender in ipairs(contenders) do
      open(contender, tostring(round))
      for letter in ('acc'):gmatch('.') do
        press(contender, letter)
        vim.wait(pause)
      end
      for _ = 1, 4 do
        contender.catch_up()
        local frames = contender.frames
        local time = has_ghost(contender, frames[#frames]) and press_next(contender) or nil
        if not time then
          break
        end
        table.insert(contender.waits[kind], time)
      end
    end
    progress(kind, accepts)
  end
end
chains('tab', function(contender)
  return (measure(contender, '<Tab>'))
end)
chains('quick', function(contender)
  local time = measure_tab(contender)
  vim.wait(DWELL)
  return time
end)

local line = '| %-9s | %15s | %15s | %15s | %15s |\n'
io.stdout:write('\n' .. line:format('p50 / p90', 'next letter', 'another', 'Tab', 'Tab, Tab, Tab'))
io.stdout:write('| --- | --- | --- | --- | --- |\n')
for _, contender in ipairs(contenders) do
  local cells = {}
  for _, kind in ipairs({ 'along', 'another', 'tab', 'quick' }) do
    local times = contender.waits[kind]
    table.insert(cells, ('%.1f / %.1f ms (%d)'):format(quantile(times, 0.5), quantile(times, 0.9), #times))
  end
  io.stdout:write(line:format(contender.name, unpack(cells)))
  vim.rpcnotify(contender.channel, 'nvim_command', 'qall!')
end
os.exit(0)
