-- The server's state, for the statusline and `:Tabahead status`.

local client = require('tabahead.client')

local M = {}

--- Milliseconds of waiting below which nothing is shown: an indicator that flickers at each key
--- distracts.
local UNNOTICED = 150

---@type tabahead.Status
local STARTING = { kind = 'Inactive', busy = true, message = 'starting' }
local last = STARTING
--- How the server's reason begins if it cannot read the settings.
local UNINTENDED = 'off, because'

--- Time since which an answer is awaited, by the clock of the event loop.
---@type integer?
local since
local is_noticed = false

local function announce()
  vim.api.nvim_exec_autocmds('User', { pattern = 'TabaheadStatus', modeline = false })
  vim.cmd.redrawstatus({ bang = true })
end

--- Handles that another server will be started: what the previous one reported is over, and what the
--- next one reports first is not.
function M.restarted()
  last, M.message, M.unread = STARTING, nil, nil
end

--- Handles the server's reason for being silent in the document that has the focus, if there is one.
---@param status tabahead.Status
local function remember(status)
  if status.kind == 'Inactive' and vim.startswith(status.message, UNINTENDED) then
    M.unread = status.message
  elseif status.kind == 'Normal' and client.is_attached(vim.api.nvim_get_current_buf()) then
    M.unread = nil
  end
end

--- Handles a new status from the server, or another change that affects the state.
---@param status? tabahead.Status
function M.changed(status)
  local was_loading = last.busy
  last = status or last
  if status then
    remember(status)
  end
  if last.busy and not was_loading then
    M.message = nil
  end
  announce()
  if was_loading and not last.busy then
    require('tabahead.suggestion').renew()
  end
end

--- Returns whether a model is being loaded.
---@return boolean
function M.is_loading()
  return last.busy
end

--- The last message from the server, whole.
---@type string?
M.message = nil

--- Why the server is silent in every file, though the user has not switched it off: it cannot read
--- the settings.
---@type string?
M.unread = nil

--- Shortens a message to one line, because a longer one would wait for a key: first the folders of
--- its paths, then what it has in common with others, because the reason may follow them, then the
--- end.
---@param message string
---@return string
function M.fitted(message)
  local room = vim.v.echospace
  local function is_too_long()
    return vim.api.nvim_strwidth(message) > room
  end
  for path in message:gmatch('[^%s\'"]*/[^%s\'"]+/[^%s\'"]+') do
    if is_too_long() then
      message = message:gsub(vim.pesc(path), (('…/' .. vim.fs.basename(path)):gsub('%%', '%%%%')), 1)
    end
  end
  if is_too_long() then
    message = message:gsub('^tabahead: model cannot be used: ', 'tabahead: ')
  end
  if is_too_long() then
    message = vim.fn.strcharpart(message, 0, room - 1) .. '…'
  end
  return message
end

--- Shows a message from the server on one line. `:Tabahead status` shows all of it.
---@param message string
function M.report(message)
  M.message = message
  vim.api.nvim_echo({ { M.fitted(message), 'ErrorMsg' } }, true, {})
end

--- Marks that an answer is awaited, or no longer awaited.
---@param begins boolean
function M.thinking(begins)
  since = begins and (since or vim.uv.now()) or nil
  if not begins then
    if is_noticed then
      is_noticed = false
      announce()
    end
    return
  end
  local this = since
  vim.defer_fn(function()
    if since == this and not is_noticed then
      is_noticed = true
      announce()
    end
  end, UNNOTICED)
end

--- Returns the state of the server, in whatever kind of buffer the user is.
---@return 'idle'|'thinking'|'paused'|'failed' state
---@return string reason Empty if there is none.
function M.state_of_server()
  local running, failure = client.state()
  if failure then
    return 'failed', failure
  end
  if not client.is_wanted(vim.api.nvim_get_current_buf()) then
    return 'paused', 'disabled; `:Tabahead enable` turns it on'
  end
  if not running then
    return 'paused', 'no file was opened yet'
  end
  if last.kind == 'Error' then
    return 'failed', last.message
  end
  if last.busy or is_noticed then
    return 'thinking', last.busy and last.message or ''
  end
  if last.kind == 'Inactive' then
    return 'paused', last.message
  end
  if M.unread then
    return 'paused', M.unread
  end
  return 'idle', ''
end

--- Returns the state in the current buffer.
---@return 'idle'|'thinking'|'paused'|'failed' state
---@return string reason Empty if there is none.
function M.state()
  local state, reason = M.state_of_server()
  local buffer = vim.api.nvim_get_current_buf()
  local why = client.is_wanted(buffer) and client.why_no_file(buffer)
  if why and (state == 'idle' or state == 'paused') then
    return 'paused', why
  end
  return state, reason
end

--- Returns the state in a few characters.
---@return string
function M.statusline()
  local running, failure = client.state()
  if not running and not failure then
    return ''
  end
  local state = M.state()
  if state == 'thinking' and last.busy and last.percent then
    -- No percent sign: some statuslines would need it escaped and others not.
    return ('tabahead %d/100'):format(last.percent)
  end
  local sign = { idle = '', thinking = ' ...', paused = ' off', failed = ' !' }
  return 'tabahead' .. sign[state]
end

return M
