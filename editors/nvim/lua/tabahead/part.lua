-- Parts of a text: those that can be accepted by themselves, and those around text that is there already. Knows
-- nothing of buffers.

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

---@class tabahead.Piece
---@field text string
---@field column integer The byte of the covered text before which it stands.
---@field covered string The character that follows there.

--- Cuts `text` where the characters of `covered` stand in it, in their order; nil where they do not.
---@param text string
---@param covered string
---@return tabahead.Piece[]?
function M.around(text, covered)
  local pieces, from, column = {}, 1, 0
  for _, character in ipairs(vim.fn.split(covered, '\\zs')) do
    -- The last possible place of a closer at the end is the right one; all others are taken as they come.
    local rest = covered:sub(column + 1)
    local at = vim.endswith(text:sub(from), rest) and #text - #rest + 1 or text:find(character, from, true)
    if not at then
      return nil
    end
    pieces[#pieces + 1] = { column = column, text = text:sub(from, at - 1), covered = character }
    from, column = at + #character, column + #character
  end
  pieces[#pieces + 1] = { column = column, text = text:sub(from), covered = '' }
  return pieces
end

return M
