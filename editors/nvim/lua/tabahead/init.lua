-- The public functions: set-up, the actions of the keys, and the statusline.

local M = {}

--- Changes options. Not needed for the defaults; may be called at any time, and more than once. A
--- wrong option keeps its default and is reported.
---@param options? tabahead.Options
function M.setup(options)
  local config = require('tabahead.config')
  config.change(options or {})
  for _, problem in ipairs(config.problems) do
    vim.notify(problem, vim.log.levels.ERROR)
  end
  if vim.g.loaded_tabahead then
    require('tabahead.keys').map()
  elseif vim.v.vim_did_enter == 1 then
    -- Neovim has loaded its plug-ins already. A later caller, such as a package manager, wants this
    -- one loaded now.
    vim.cmd.runtime('plugin/tabahead.lua')
  end
end

--- Accepts the suggestion that is shown. Returns false if there is none.
---@return boolean
function M.accept()
  return require('tabahead.suggestion').accept('all')
end

--- Accepts the next word of the suggestion.
---@return boolean
function M.accept_word()
  return require('tabahead.suggestion').accept('word')
end

--- Accepts the rest of the suggestion's current line.
---@return boolean
function M.accept_line()
  return require('tabahead.suggestion').accept('line')
end

--- Shows the next suggestion; requests alternatives first if there are none yet.
---@return boolean
function M.next()
  return require('tabahead.suggestion').cycle(1)
end

--- Shows the previous suggestion.
---@return boolean
function M.previous()
  return require('tabahead.suggestion').cycle(-1)
end

--- Hides the suggestion until the text changes.
---@return boolean
function M.dismiss()
  return require('tabahead.suggestion').dismiss()
end

--- Requests suggestions at the cursor, whether tabahead does so automatically or not.
---@return boolean
function M.suggest()
  return require('tabahead.suggestion').suggest()
end

--- Returns whether a suggestion is shown that could be accepted.
---@return boolean
function M.is_shown()
  return require('tabahead.suggestion').is_shown()
end

--- Returns text for a statusline: empty before the first file, then `tabahead` and its state.
---@return string
function M.statusline()
  return require('tabahead.status').statusline()
end

return M
