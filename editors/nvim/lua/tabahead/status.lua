-- How the server is, for the statusline and `:Tabahead status`.

local client = require('tabahead.client')

local M = {}

--- A thought that is shorter than this is not shown: what flickers at each key draws the eye.
local UNNOTICED = 150

---@type tabahead.Status
local last = { kind = 'Inactive', busy = true, message = 'starting' }
--- Since when an answer is awaited, by the clock of the event loop.
---@type integer?
local since
local is_noticed = false

local function announce()
  vim.api.nvim_exec_autocmds('User', { pattern = 'TabaheadStatus', modeline = false })
  vim.cmd.redrawstatus({ bang = true })
end

--- The server said how it is, or something else did that matters here.
---@param status? tabahead.Status
function M.changed(status)
  local was_loading = last.busy
  last = status or last
  if last.busy and not was_loading then
    M.told = nil
  end
  announce()
  if was_loading and not last.busy then
    require('tabahead.suggestion').renew()
  end
end

--- Whether a model is being loaded.
---@return boolean
function M.is_loading()
  return last.busy
end

--- What the server told last; `:Tabahead status` has the whole of it.
---@type string?
M.told = nil

--- Shows what the server tells, as far as it fits on a line: a longer message would wait for a key, and the user types.
---@param message string
function M.tell(message)
  M.told = message
  local more = '… (:Tabahead status)'
  local room = vim.v.echospace
  if vim.api.nvim_strwidth(message) > room then
    message = vim.fn.strcharpart(message, 0, room - vim.api.nvim_strwidth(more)) .. more
  end
  vim.api.nvim_echo({ { message, 'ErrorMsg' } }, true, {})
end

--- An answer is awaited, or no longer.
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

---@return 'idle'|'thinking'|'paused'|'failed' state
---@return string reason Empty where there is nothing to say.
function M.state()
  local running, failure = client.state()
  if failure then
    return 'failed', failure
  end
  if not client.is_wanted(vim.api.nvim_get_current_buf()) then
    return 'paused', 'disabled'
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
  return 'idle', ''
end

--- The state in a few letters.
---@return string
function M.statusline()
  local running, failure = client.state()
  if not running and not failure then
    return ''
  end
  local state = M.state()
  if state == 'thinking' and last.busy and last.percent then
    -- No percent sign: it would have to be escaped in some statuslines and not in others.
    return ('tabahead %d/100'):format(last.percent)
  end
  local sign = { idle = '', thinking = ' ...', paused = ' off', failed = ' !' }
  return 'tabahead' .. sign[state]
end

return M
