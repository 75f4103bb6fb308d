-- What users call: set-up, the actions behind the keys, and what a statusline shows.

local M = {}

--- Changes options. Not needed for the defaults; may be called at any time, and more than once.
---@param options? tabahead.Options
function M.setup(options)
  require('tabahead.config').change(options or {})
  if vim.g.loaded_tabahead then
    require('tabahead.keys').map()
  elseif vim.v.vim_did_enter == 1 then
    -- Neovim has loaded its plug-ins already: whoever comes later, a package manager for example, wants it now.
    vim.cmd.runtime('plugin/tabahead.lua')
  end
end

--- Accepts what is shown. Gives false where nothing is.
---@return boolean
function M.accept()
  return require('tabahead.suggestion').accept('all')
end

--- Accepts the next word of it.
---@return boolean
function M.accept_word()
  return require('tabahead.suggestion').accept('word')
end

--- Accepts the rest of its line.
---@return boolean
function M.accept_line()
  return require('tabahead.suggestion').accept('line')
end

--- Shows another suggestion; asks for others first.
---@return boolean
function M.next()
  return require('tabahead.suggestion').cycle(1)
end

--- Shows the suggestion before it.
---@return boolean
function M.previous()
  return require('tabahead.suggestion').cycle(-1)
end

--- Takes what is shown away, until the text changes.
---@return boolean
function M.dismiss()
  return require('tabahead.suggestion').dismiss()
end

--- Asks for suggestions here, whether tabahead asks by itself or not.
---@return boolean
function M.suggest()
  return require('tabahead.suggestion').suggest()
end

--- Whether something is shown that could be accepted.
---@return boolean
function M.is_shown()
  return require('tabahead.suggestion').is_shown()
end

--- For a statusline: empty before the first file, then `tabahead` and what there is to say.
---@return string
function M.statusline()
  return require('tabahead.status').statusline()
end

return M
