-- Turns text into rows of the screen, as virtual text needs it: Neovim shows a tab in it as `^I` and
-- cuts it at the window's edge. Knows widths, not windows.

local M = {}

--- A text without tabs, and its highlight group.
---@alias tabahead.Chunk [string, string?]

--- Expands tabs to the blanks that they will be.
---@param text string
---@param column integer Screen column at which the text begins.
---@return string
function M.expand_tabs(text, column)
  if not text:find('\t', 1, true) then
    return text
  end
  local parts = {}
  for before, tab in text:gmatch('([^\t]*)(\t?)') do
    parts[#parts + 1] = before
    column = column + vim.fn.strdisplaywidth(before, column)
    if tab ~= '' then
      local width = vim.fn.strdisplaywidth('\t', column)
      parts[#parts + 1] = (' '):rep(width)
      column = column + width
    end
  end
  return table.concat(parts)
end

--- Returns the number of cells that these take.
---@param chunks tabahead.Chunk[]
---@return integer
function M.width(chunks)
  local cells = 0
  for _, chunk in ipairs(chunks) do
    cells = cells + vim.fn.strdisplaywidth(chunk[1])
  end
  return cells
end

--- Breaks a line where Neovim would break one of the buffer: a wide character is not divided.
---@param chunks tabahead.Chunk[]
---@param rooms integer[] Cells of the first rows.
---@param width number Cells of each further row.
---@return tabahead.Chunk[][] rows One at least.
function M.broken(chunks, rooms, width)
  local rows, room = { {} }, rooms[1] or width
  for _, chunk in ipairs(chunks) do
    local text, highlight = unpack(chunk)
    local cells = vim.fn.strdisplaywidth(text)
    if cells <= room then
      table.insert(rows[#rows], chunk)
      room = room - cells
    else
      -- The bytes of the text that belong to the last row.
      local from, to = 1, 0
      for _, character in ipairs(vim.fn.split(text, '\\zs')) do
        cells = vim.fn.strdisplaywidth(character)
        if cells > room then
          if from <= to then
            table.insert(rows[#rows], { text:sub(from, to), highlight })
          end
          table.insert(rows, {})
          from, room = to + 1, rooms[#rows] or width
        end
        to, room = to + #character, room - cells
      end
      table.insert(rows[#rows], { text:sub(from), highlight })
    end
  end
  return rows
end

return M
