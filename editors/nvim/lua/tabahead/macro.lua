-- Recorded macros: an accept is recorded as the text that it inserted.
--
-- A register records keys as they were typed. When replayed, an accept key would find another
-- suggestion or none, so the register contains the inserted text instead.

local M = {}

---@type { typed: string[], accepts: { key: integer, text: string, deleted: integer }[] }?
local recording
local listener = vim.api.nvim_create_namespace('tabahead.macro')

--- Starts to follow a recording.
function M.start()
  recording = { typed = {}, accepts = {} }
  vim.on_key(function(_, typed)
    if recording and typed and typed ~= '' then
      table.insert(recording.typed, typed)
    end
  end, listener)
end

--- Notes the text accepted with the last key, and how many characters after the cursor the accept
--- deleted.
---@param text string
---@param deleted integer
function M.accepted(text, deleted)
  if recording then
    table.insert(recording.accepts, { key = #recording.typed, text = text, deleted = deleted })
  end
end

--- Returns keys that insert a text literally, whatever the options and mappings are.
---@param text string
---@return string
local function keys_for(text)
  local quoted = text:gsub('[\\"]', '\\%0'):gsub('\n', '\\n'):gsub('\r', '\\r'):gsub('\t', '\\t')
  return vim.keycode('<C-r><C-o>') .. '="' .. quoted .. '"\r'
end

--- Handles the end of a recording.
function M.stop()
  local this = recording
  recording = nil
  vim.on_key(nil, listener)
  if not this or #this.accepts == 0 then
    return
  end
  local register, recorded = vim.v.event.regname, vim.v.event.regcontents
  local typed = table.concat(this.typed)
  -- Some keys did not come from the keyboard: the recording is not known well enough to change it.
  if not vim.startswith(typed, recorded) then
    return
  end
  for _, accept in ipairs(this.accepts) do
    this.typed[accept.key] = vim.keycode('<Del>'):rep(accept.deleted) .. keys_for(accept.text)
  end
  local unrecorded = #typed - #recorded
  local contents = table.concat(this.typed)
  contents = contents:sub(1, #contents - unrecorded)
  -- Neovim writes the register after this event.
  vim.schedule(function()
    vim.fn.setreg(register, contents, 'c')
  end)
end

return M
