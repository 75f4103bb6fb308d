-- Draws and clears a suggestion. Knows the screen, not what a suggestion is.

local encoding = require('tabahead.encoding')
local part = require('tabahead.part')

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

--- Expands tabs to the blanks that they will be: virtual text shows them as `^I`.
---@param text string
---@param column integer Screen column at which the text begins.
---@return string
local function expand_tabs(text, column)
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

--- Scrolls like an accept would, so that lines below the cursor's are visible: users do not accept
--- what they cannot see.
---@param count integer
local function reveal(count)
  local row = vim.fn.winline()
  local height = vim.fn.getwininfo(vim.api.nvim_get_current_win())[1].height
  local hidden = math.min(row + count - height, row - 1)
  if hidden > 0 then
    local view = vim.fn.winsaveview()
    vim.fn.winrestview({ topline = view.topline + hidden })
  end
end

---@class tabahead.Ghost
---@field text string The text that is not in the buffer yet; its lines are separated by `\n`.
---@field covered integer Bytes after the cursor that are also in the text's first line; see
--- `part.around()`.
---@field count? string Number of the suggestion and of all alternatives, such as `1/3`.

--- Draws at the cursor, and replaces the previous drawing.
---@param buffer integer
---@param row integer 0-based
---@param column integer Bytes
---@param ghost tabahead.Ghost
function M.draw(buffer, row, column, ghost)
  M.clear(buffer)
  local line = encoding.for_vim(vim.api.nvim_buf_get_lines(buffer, row, row + 1, false)[1] or '')
  local after = line:sub(column + 1)
  local covered = after:sub(1, ghost.covered)
  local lines = vim.split(ghost.text, '\n', { plain = true })
  local count = ghost.count and { (' (%s)'):format(ghost.count), 'TabaheadCount' } or nil
  local screen = vim.fn.strdisplaywidth(line:sub(1, column))

  -- The text after the cursor moves to the end of the last line, and is drawn there.
  local moved = #lines > 1 and after:sub(ghost.covered + 1) or ''
  local virt_lines = {}
  for i = 2, #lines do
    virt_lines[i - 1] =
      { { expand_tabs(lines[i] .. (i == #lines and moved or ''), 0), 'TabaheadSuggestion' } }
  end
  if count and #virt_lines > 0 then
    table.insert(virt_lines[#virt_lines], count)
  end
  if #virt_lines > 0 then
    reveal(#virt_lines)
  end

  if moved ~= '' then
    local first = expand_tabs(lines[1], screen)
    local hidden = vim.fn.strdisplaywidth(after, screen) - vim.fn.strdisplaywidth(first, screen)
    vim.api.nvim_buf_set_extmark(buffer, namespace, row, column, {
      virt_text = { { first, 'TabaheadSuggestion' }, { (' '):rep(hidden) } },
      virt_text_pos = 'overlay',
      virt_lines = virt_lines,
      hl_mode = 'combine',
    })
    return
  end
  local pieces = part.around(lines[1], covered) or {}
  for i, piece in ipairs(pieces) do
    local last = i == #pieces
    local chunks = { { expand_tabs(piece.text, screen), 'TabaheadSuggestion' } }
    if last and count and #virt_lines == 0 then
      table.insert(chunks, count)
    end
    if piece.text ~= '' or last then
      vim.api.nvim_buf_set_extmark(buffer, namespace, row, column + piece.column, {
        virt_text = chunks,
        virt_text_pos = 'inline',
        virt_lines = last and virt_lines or nil,
        hl_mode = 'combine',
      })
    end
    screen = screen + vim.fn.strdisplaywidth(piece.text .. piece.covered, screen)
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
