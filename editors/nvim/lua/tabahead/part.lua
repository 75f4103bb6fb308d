-- Parts of a text: those that can be accepted alone, and those around text that is there already.
-- Knows nothing of buffers.

local M = {}

--- Blanks and line breaks, then a word or a run of other characters.
local WORD = [[^\_s*\%(\k\+\|\%(\k\@!\S\)\+\)\?]]
--- The rest of the line; at the end of a line, the next line.
local LINE = [[^\n\?[^\n]*]]

---@alias tabahead.Part 'all'|'word'|'line'

--- Returns the part of `text` at its start.
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
---@field column integer Byte of the covered text before which the piece is inserted.
---@field covered string The covered character that follows the piece.

--- Splits `text` at the characters of `covered`, which it must contain in order; nil if it does
--- not.
---@param text string
---@param covered string
---@return tabahead.Piece[]?
function M.around(text, covered)
  local pieces, from, column = {}, 1, 0
  for _, character in ipairs(vim.fn.split(covered, '\\zs')) do
    -- Closers at the end of the text match at their last possible place; all others at the first
    -- one.
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
