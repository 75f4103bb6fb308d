-- Measures how long somebody waits for ghost text: for the next letter of what is suggested, for another suggestion,
-- and from Tab to the next one. Not a test.
--
--   NVIM=nvim TABAHEAD=target/release/tabahead nvim --clean -l tests/e2e/neovim/latency.lua
--
-- compares the plug-in with Neovim's own inline completion (0.12), in one run, a few keys of each in turn. With
-- LLAMA_VIM, a folder that holds the plug-in llama.vim, and LLAMA_ENDPOINT, a running llama.cpp server's `/infill`,
-- also with that. A wait ends with the first frame on the screen that stays as it is until the next key. `KEYS` and
-- `ACCEPTS` say how many are measured at least, where so much is suggested; `PAUSE`, the milliseconds between two keys.

local scripts = vim.fs.dirname(vim.fn.fnamemodify(arg[0], ':p'))
package.path = scripts .. '/?.lua;' .. package.path
local samples = require('samples')
local terminal = require('terminal')

local nvim = assert(vim.env.NVIM, 'NVIM must name the Neovim to measure in')
local program = vim.fn.fnamemodify(assert(vim.env.TABAHEAD, 'TABAHEAD must name the program'), ':p')
local keys = tonumber(vim.env.KEYS) or 50
local accepts = tonumber(vim.env.ACCEPTS) or 50
local pause = tonumber(vim.env.PAUSE) or 500

--- How many keys of one are measured before it is the next one's turn.
local TURN = 10

--- Milliseconds from ghost text to Tab, for people who press it several times in a row.
local DWELL = 100

--- What is typed behind the sample, over and over: code that is suggested in part.
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
      ("vim.opt.runtimepath:prepend('%s')"):format(vim.fs.normalize(scripts .. '/../../../editors/nvim')),
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
      -- Its figures behind the text would change each frame.
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

--- Opens the sample in a file of its own, and inserts at its end.
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

--- The text that is drawn for the buffer, ghost text or not: all rows but the last two.
---@param frame Frame
---@return string
local function picture(frame)
  return table.concat(frame.rows, '\n', 1, #frame.rows - 2)
end

--- Whether a frame has text that is not in the buffer.
---@param contender Contender
---@param frame Frame
---@return boolean
local function has_ghost(contender, frame)
  local shown = picture(frame):gsub('~', ''):gsub('%s', '')
  local buffer = lua(contender, 'return vim.api.nvim_buf_get_lines(0, 0, -1, true)')
  return #shown > #(table.concat(buffer):gsub('%s', ''))
end

--- Presses a key and waits. Gives the milliseconds to the frame that stays, and whether that is what was there before,
--- typed along; nil where no ghost text came.
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

--- Presses Tab, and waits until there is other ghost text. Gives the milliseconds until then; nil where none comes.
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

--- How many of a kind every contender has.
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

-- Keys: each contender types the same text, some letters in its turn.
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

-- Accepts: a chain in a new file each time, as long as it goes. After a while, and at once.
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
