-- Parts of a text that can be accepted by themselves. Knows nothing of buffers.

local M = {}

--- Blanks and line breaks, and then a word or a run of other signs.
local WORD = [[^\_s*\%(\k\+\|\%(\k\@!\S\)\+\)\?]]
--- At the end of a line, the next one.
local LINE = [[^\n\?[^\n]*]]

---@alias tabahead.Part 'all'|'word'|'line'

--- The part of `text` from its start.
---@param text string
---@param part tabahead.Part
---@return string
function M.take(text, part)
  if part == 'all' then
    return text
  end
  return vim.fn.matchstr(text, part == 'word' and WORD or LINE)
end

return M
