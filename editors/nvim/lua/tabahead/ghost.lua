-- Draws and clears a suggestion. Knows the screen, not what a suggestion is.

local encoding = require('tabahead.encoding')
local part = require('tabahead.part')
local rows = require('tabahead.rows')

local M = {}

local namespace = vim.api.nvim_create_namespace('tabahead')

--- Defines the highlight groups, which a colour scheme may override.
function M.define_highlights()
  -- Neovim 0.12 has a group for exactly this purpose, which colour schemes know.
  local hint = vim.fn.hlexists('ComplHint') == 1 and 'ComplHint' or 'NonText'
  local like = vim.api.nvim_get_hl(0, { name = hint, link = false })
  -- The default colours do not define it for 256 colours: ghost text would look like normal text.
  local is_seen = like.ctermfg ~= nil or (like.cterm ~= nil and next(like.cterm) ~= nil)
  local suggestion = is_seen and { link = hint } or vim.tbl_extend('force', like, { ctermfg = 'DarkGrey' })
  suggestion.default = true
  vim.api.nvim_set_hl(0, 'TabaheadSuggestion', suggestion)
  vim.api.nvim_set_hl(0, 'TabaheadCount', { link = 'MoreMsg', default = true })
end

M.define_highlights()

--- Returns the cells of the current window's rows, without the columns of signs and numbers, and how
--- many of them are left from the cursor on.
---@return integer width
---@return integer room
local function space()
  local info = vim.fn.getwininfo(vim.api.nvim_get_current_win())[1]
  local width = math.max(info.width - info.textoff, 1)
  return width, math.max(width - (vim.fn.wincol() - 1 - info.textoff), 0)
end

--- Returns what a drawing depends on besides its text.
---@return any[]
function M.layout()
  local width, room = space()
  return { width, room, vim.wo.wrap, vim.bo.tabstop, vim.bo.vartabstop }
end

--- Scrolls like an accept would, so that rows below the cursor's are visible: users do not accept
--- what they cannot see.
---@param count integer
local function reveal(count)
  local height = vim.fn.getwininfo(vim.api.nvim_get_current_win())[1].height
  local hidden = vim.fn.winline() + count - height
  local view = vim.fn.winsaveview()
  local top = view.topline
  while hidden > 0 and top < view.lnum do
    hidden = hidden - vim.api.nvim_win_text_height(0, { start_row = top - 1, end_row = top - 1 }).all
    top = math.max(top, vim.fn.foldclosedend(top)) + 1
  end
  if top > view.topline then
    vim.fn.winrestview({ topline = math.min(top, view.lnum) })
  end
end

--- Scrolls to the right, as Neovim itself does for inline text, so that this many cells from the
--- cursor on are visible with 'nowrap'. Returns whether they are.
---@param cells integer
---@return boolean
local function reveal_right(cells)
  if cells == 0 then
    return true
  end
  local width, room = space()
  -- Neovim keeps the next character and 'sidescrolloff' in sight.
  cells = cells + 2 + vim.o.sidescrolloff
  if cells > room and cells + vim.o.sidescrolloff <= width then
    vim.fn.winrestview({ leftcol = vim.fn.winsaveview().leftcol + cells - room })
    room = select(2, space())
  end
  return cells <= room
end

---@class tabahead.Ghost
---@field text string The text that is not in the buffer yet; its lines are separated by `\n`.
---@field covered integer Bytes after the cursor that are also in the text's first line; see
--- `part.around()`.
---@field count? string Number of the suggestion and of all alternatives, such as `1/3`.

--- What is drawn on the cursor's line.
---@class tabahead.Mark
---@field column integer Bytes
---@field chunks tabahead.Chunk[]
---@field position 'inline'|'overlay'

--- Returns the rows of the text after the cursor: where each begins, how many cells the text takes
--- there, and how many there are.
---@param row integer
---@param column integer
---@param after string
---@param screen integer Column of the line at which it begins.
---@return { column: integer, cells: integer, room: integer }[]
local function rows_after(row, column, after, screen)
  local _, room = space()
  local found = { { column = column, cells = 0, room = room } }
  if not vim.wo.wrap then
    found[1].cells = vim.fn.strdisplaywidth(after, screen)
    return found
  end
  local info = vim.fn.getwininfo(vim.api.nvim_get_current_win())[1]
  local last
  for _, character in ipairs(vim.fn.split(after, '\\zs')) do
    local at = vim.fn.screenpos(0, row + 1, column + 1)
    if at.row == 0 then
      -- The rest is below the window.
      break
    elseif last and at.row > last then
      table.insert(found, { column = column, cells = 0, room = info.wincol + info.width - at.col })
    end
    last = at.row
    local cells = vim.fn.strdisplaywidth(character, screen)
    found[#found].cells = found[#found].cells + cells
    column, screen = column + #character, screen + cells
  end
  return found
end

--- Returns how to draw the first line over the text after the cursor.
---@param chunks tabahead.Chunk[]
---@param places { column: integer, cells: integer, room: integer }[]
---@param width integer
---@return tabahead.Mark[] marks
---@return tabahead.Chunk[][] rest The rows for which there is no place.
local function over(chunks, places, width)
  local rooms = vim.tbl_map(function(place)
    return place.room
  end, places)
  local drawn = rows.broken(chunks, rooms, width)
  local marks = {}
  for i, place in ipairs(places) do
    local row = drawn[i] or {}
    table.insert(row, { (' '):rep(place.cells - rows.width(row)) })
    marks[i] = { column = place.column, chunks = row, position = 'overlay' }
  end
  return marks, vim.list_slice(drawn, #places + 1)
end

--- Returns how to draw the first line around the characters that it covers.
---@param text string
---@param column integer
---@param covered string
---@param screen integer
---@return tabahead.Mark[] marks
local function around(text, column, covered, screen)
  local marks = {}
  local pieces = part.around(text, covered) or {}
  for i, piece in ipairs(pieces) do
    if piece.text ~= '' or i == #pieces then
      local chunks = { { rows.expand_tabs(piece.text, screen), 'TabaheadSuggestion' } }
      table.insert(marks, { column = column + piece.column, chunks = chunks, position = 'inline' })
    end
    screen = screen + vim.fn.strdisplaywidth(piece.text .. piece.covered, screen)
  end
  return marks
end

--- Draws at the cursor of the current window, and replaces the previous drawing. A line that is
--- longer than the window is wide continues in the next row. Rows below the cursor's begin at the
--- window's edge, even where 'nowrap' has scrolled: nothing of them is hidden.
---@param buffer integer
---@param row integer 0-based
---@param column integer Bytes
---@param ghost tabahead.Ghost
function M.draw(buffer, row, column, ghost)
  M.clear(buffer)
  local line = encoding.for_vim(vim.api.nvim_buf_get_lines(buffer, row, row + 1, false)[1] or '')
  local after = line:sub(column + 1)
  local covered, uncovered = after:sub(1, ghost.covered), after:sub(ghost.covered + 1)
  local lines = vim.tbl_map(encoding.for_vim, vim.split(ghost.text, '\n', { plain = true }))
  local count = ghost.count and { (' (%s)'):format(ghost.count), 'TabaheadCount' } or nil
  local screen = vim.fn.strdisplaywidth(line:sub(1, column))

  -- Neovim breaks inline text only if it breaks the line.
  local cells = vim.fn.strdisplaywidth(lines[1], screen)
  if #lines == 1 and count then
    cells = cells + rows.width({ count })
  end
  local is_whole = vim.wo.wrap or reveal_right(cells)
  local is_over = not is_whole or (#lines > 1 and uncovered ~= '')
  local width, room = space()

  -- The text after the cursor moves to the end of the last line, and is drawn there.
  if is_over then
    lines[#lines] = lines[#lines] .. uncovered
  end
  local drawn = {}
  for i, text in ipairs(lines) do
    drawn[i] = { { rows.expand_tabs(text, i == 1 and screen or 0), 'TabaheadSuggestion' } }
  end
  if count and (is_over or #lines > 1) then
    table.insert(drawn[#drawn], count)
  end
  local below = {}
  for i = 2, #drawn do
    vim.list_extend(below, rows.broken(drawn[i], {}, width))
  end

  local taken = is_over and vim.fn.strdisplaywidth(after, screen) or cells
  local height = vim.wo.wrap and math.max(math.ceil((width - room + taken) / width), 1) or 1
  -- Only rows that are in the window can be drawn over.
  reveal(height - 1 + #below)
  local marks
  if is_over then
    local rest
    marks, rest = over(drawn[1], rows_after(row, column, after, screen), width)
    below = vim.list_extend(rest, below)
    reveal(height - 1 + #below)
  else
    marks = around(lines[1], column, covered, screen)
    if count and #lines == 1 then
      table.insert(marks[#marks].chunks, count)
    end
  end
  for i, mark in ipairs(marks) do
    vim.api.nvim_buf_set_extmark(buffer, namespace, row, mark.column, {
      virt_text = mark.chunks,
      virt_text_pos = mark.position,
      virt_lines = i == #marks and below or nil,
      hl_mode = 'combine',
    })
  end
end

--- Clears the drawing.
---@param buffer integer
function M.clear(buffer)
  if vim.api.nvim_buf_is_valid(buffer) then
    vim.api.nvim_buf_clear_namespace(buffer, namespace, 0, -1)
  end
end

return M
