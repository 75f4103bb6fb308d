-- Recorded macros: an accept is recorded as the text that it gave.
--
-- A register records keys as they were typed. Replayed, the key of an accept would find another suggestion or none,
-- so in the register it is replaced by what it put into the buffer.

local M = {}

---@type { typed: string[], accepts: { key: integer, text: string, deleted: integer }[] }?
local recording
local listener = vim.api.nvim_create_namespace('tabahead.macro')

--- Somebody began to record.
function M.start()
  recording = { typed = {}, accepts = {} }
  vim.on_key(function(_, typed)
    if recording and typed and typed ~= '' then
      table.insert(recording.typed, typed)
    end
  end, listener)
end

--- What was accepted with the last key, and how many characters behind the cursor it took away.
---@param text string
---@param deleted integer
function M.accepted(text, deleted)
  if recording then
    table.insert(recording.accepts, { key = #recording.typed, text = text, deleted = deleted })
  end
end

--- Keys that insert a text as it is, whatever options and mappings say.
---@param text string
---@return string
local function keys_for(text)
  local quoted = text:gsub('[\\"]', '\\%0'):gsub('\n', '\\n'):gsub('\r', '\\r'):gsub('\t', '\\t')
  return vim.keycode('<C-r><C-o>') .. '="' .. quoted .. '"\r'
end

--- Somebody ended a recording.
function M.stop()
  local this = recording
  recording = nil
  vim.on_key(nil, listener)
  if not this or #this.accepts == 0 then
    return
  end
  local register, recorded = vim.v.event.regname, vim.v.event.regcontents
  local typed = table.concat(this.typed)
  -- Keys that came another way than from the keyboard: what was recorded is not known well enough to change it.
  if not vim.startswith(typed, recorded) then
    return
  end
  for _, accept in ipairs(this.accepts) do
    this.typed[accept.key] = vim.keycode('<Del>'):rep(accept.deleted) .. keys_for(accept.text)
  end
  local unrecorded = #typed - #recorded
  local contents = table.concat(this.typed)
  contents = contents:sub(1, #contents - unrecorded)
  -- The register is written when this event is over.
  vim.schedule(function()
    vim.fn.setreg(register, contents, 'c')
  end)
end

return M
