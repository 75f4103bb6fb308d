-- The suggestion in a buffer: requested at each change, drawn while it still fits, accepted,
-- removed.
--
-- Between a key and the server's answer the old suggestion is kept in step: it stays as long as the
-- typed text agrees with it. A suggestion has a region of the buffer, from the place where it was
-- requested to the end of what it replaces, which grows with text typed into it; any change outside
-- the region ends the suggestion.

local client = require('tabahead.client')
local config = require('tabahead.config')
local encoding = require('tabahead.encoding')
local ghost = require('tabahead.ghost')
local part = require('tabahead.part')

local M = {}

---@class tabahead.Place
---@field tick integer Version of the text: the buffer's `changedtick`.
---@field row integer
---@field column integer
---@field is_nowhere boolean Whether it is no place in the text: beyond the line's end or within a
--- tab, as 'virtualedit' allows, or after a carriage return that ends the line.

---@class tabahead.Shown
---@field items tabahead.Item[]
---@field choice integer
---@field window integer The window at whose cursor it is shown.
---@field row integer Row of the region's start.
---@field column integer
---@field from integer Start of the region, in bytes from the buffer's start.
---@field bytes integer Length of the region.
---@field covered string The text that it replaces.
---@field kept integer Bytes at the start of the items' texts that were typed before the request.

---@class tabahead.Buffer
---@field number integer
---@field asked? tabahead.Place Place of the last request, whether it was answered or not.
---@field pending? { id: integer? } The request whose answer is awaited.
---@field shown? tabahead.Shown
---@field drawn? any[] What is drawn, and where.
---@field dismissed boolean Whether the user dismissed a suggestion and the text is still the same.

---@class tabahead.Remaining
---@field text string The text that would be inserted at the cursor.
---@field covered integer Bytes after the cursor that it replaces.
---@field typed string The part of the item that is already in the buffer.
---@field item tabahead.Item

---@type table<integer, tabahead.Buffer>
local buffers = {}

--- Drops the suggestion that is shown, and clears its drawing.
---@param self tabahead.Buffer
local function hide(self)
  self.shown, self.drawn = nil, nil
  ghost.clear(self.number)
end

--- Cancels the pending request.
---@param self tabahead.Buffer
local function cancel(self)
  if self.pending and self.pending.id then
    client.cancel(self.pending.id)
  end
  self.pending = nil
end

--- Cancels the pending request, and shows that no answer is awaited.
---@param self tabahead.Buffer
local function give_up(self)
  if self.pending then
    cancel(self)
    require('tabahead.status').thinking(false)
  end
end

---@param number integer
---@return tabahead.Buffer
local function buffer(number)
  local known = buffers[number]
  if known then
    return known
  end
  ---@type tabahead.Buffer
  local self = { number = number, dismissed = false }
  buffers[number] = self
  vim.api.nvim_buf_attach(number, false, {
    on_bytes = function(_, _, _, _, _, start, _, _, old, _, _, new)
      local shown = self.shown
      if not shown then
        return
      end
      if start < shown.from or start + old > shown.from + shown.bytes then
        hide(self)
      else
        shown.bytes = shown.bytes + new - old
      end
    end,
    on_reload = function()
      self.asked = nil
      hide(self)
    end,
    on_detach = function()
      give_up(self)
      hide(self)
      buffers[number] = nil
    end,
  })
  return self
end

--- Returns the place of the current window's cursor in the current text.
---@param self tabahead.Buffer
---@return tabahead.Place
local function place(self)
  local row, column = unpack(vim.api.nvim_win_get_cursor(0))
  local line = vim.api.nvim_get_current_line()
  return {
    tick = vim.api.nvim_buf_get_changedtick(self.number),
    row = row - 1,
    column = column,
    is_nowhere = vim.fn.getcurpos()[4] > 0 or (column == #line and line:sub(-1) == '\r'),
  }
end

--- Returns whether a suggestion may replace the text after the cursor: the text that it was meant
--- to replace, or brackets and quotes that an auto-closing plug-in has added meanwhile, provided
--- that the suggestion contains them. Words that were typed there are not its to replace.
---@param rest string
---@param text string
---@param covered string
---@return boolean
local function may_replace(rest, text, covered)
  local is_expected = rest == covered or not rest:find('[^%s%p]')
  return is_expected and part.around(vim.split(text, '\n')[1], rest) ~= nil
end

--- Returns what is left of the shown item at the cursor; nil if the text does not agree with the
--- item.
---@param self tabahead.Buffer
---@return tabahead.Remaining?
local function remaining(self)
  local shown = self.shown
  if not shown then
    return nil
  end
  local here = place(self)
  local is_after = here.row > shown.row or (here.row == shown.row and here.column >= shown.column)
  if not is_after or here.is_nowhere then
    return nil
  end
  local typed = table.concat(
    vim.api.nvim_buf_get_text(self.number, shown.row, shown.column, here.row, here.column, {}),
    '\n'
  )
  local item = shown.items[shown.choice]
  local covered = shown.bytes - #typed
  local text = item.insertText:sub(#typed + 1)
  if covered < 0 or text == '' or not vim.startswith(item.insertText, typed) then
    return nil
  end
  local line = vim.api.nvim_buf_get_lines(self.number, here.row, here.row + 1, false)[1]
  if not may_replace(line:sub(here.column + 1, here.column + covered), text, shown.covered) then
    return nil
  end
  return { text = text, covered = covered, typed = typed, item = item }
end

--- Returns whether an item of the popup menu is selected and not in the text yet: the next key is
--- for the menu.
---@return boolean
local function menu_has_choice()
  if vim.fn.pumvisible() == 0 then
    return false
  end
  local info = vim.fn.complete_info({ 'selected', 'items' })
  local choice = info.items[info.selected + 1]
  if not choice then
    return false
  end
  local column = vim.api.nvim_win_get_cursor(0)[2]
  return not vim.endswith(vim.api.nvim_get_current_line():sub(1, column), choice.word)
end

---@return boolean
local function is_inserting()
  return vim.api.nvim_get_mode().mode:sub(1, 1) == 'i'
end

--- Returns whether the user is inserting in this buffer, and suggestions are enabled there.
---@param number integer
---@return boolean
local function is_at_home(number)
  return number == vim.api.nvim_get_current_buf() and is_inserting() and client.is_served(number)
end

--- Draws what is left of the suggestion, or nothing.
---@param self tabahead.Buffer
---@return boolean is_drawn
local function draw(self)
  local left = is_at_home(self.number) and not self.dismissed and remaining(self)
  if not left then
    hide(self)
    return false
  end
  if menu_has_choice() then
    ghost.clear(self.number)
    self.drawn = nil
    return false
  end
  local here, items = place(self), self.shown.items
  -- One key triggers several events, and each drawing is a frame.
  local drawing = { here, left.text, left.covered, self.shown.choice, #items, ghost.layout() }
  if vim.deep_equal(drawing, self.drawn) then
    return true
  end
  self.drawn = drawing
  ghost.draw(self.number, here.row, here.column, {
    text = left.text,
    covered = left.covered,
    count = #items > 1 and ('%d/%d'):format(self.shown.choice, #items) or nil,
  })
  -- The window may have scrolled.
  drawing[#drawing] = ghost.layout()
  return true
end

--- Converts a position on a line to bytes; a position past the end is the end.
---@param line string
---@param position lsp.Position
---@return integer
local function bytes(line, position)
  local at = vim.fn.byteidx(encoding.for_vim(line), position.character, true)
  return at < 0 and #line or at
end

--- Takes an answer, if the text is still the one that the request was about.
---@param self tabahead.Buffer
---@param asked tabahead.Place
---@param items tabahead.Item[]
local function take(self, asked, items)
  if not vim.api.nvim_buf_is_valid(self.number) or vim.api.nvim_get_current_buf() ~= self.number then
    return
  end
  if not vim.deep_equal(asked, place(self)) then
    return
  end
  -- Substitutes for bytes that are no characters would be inserted as real characters.
  items = vim.tbl_filter(function(item)
    return not item.insertText:find(encoding.REPLACEMENT, 1, true)
  end, items)
  local first = items[1]
  if not first then
    hide(self)
    return
  end
  for _, item in ipairs(items) do
    -- Lines of a buffer are separated by `\n` whatever the file's line ends are.
    item.insertText = item.insertText:gsub('\r\n?', '\n')
  end
  -- Items of one answer have one range, which is on the cursor's line.
  local line = vim.api.nvim_buf_get_lines(self.number, asked.row, asked.row + 1, false)[1] or ''
  local start, stop = bytes(line, first.range.start), bytes(line, first.range['end'])
  local left = remaining(self)
  local is_same = left
    and start == asked.column
    and first.insertText == left.text
    and stop - start == left.covered
  if left and is_same then
    -- The answer is what is shown already: keep its typed beginning, so that it stays when letters
    -- are deleted.
    for _, item in ipairs(items) do
      item.insertText = left.typed .. item.insertText
    end
    self.shown.items, self.shown.choice, self.shown.kept = items, 1, #left.typed
  else
    self.shown = {
      items = items,
      choice = 1,
      window = vim.api.nvim_get_current_win(),
      covered = line:sub(start + 1, stop),
      kept = 0,
      row = asked.row,
      column = start,
      from = vim.api.nvim_buf_get_offset(self.number, asked.row) + start,
      bytes = stop - start,
    }
  end
  draw(self)
end

--- Requests a suggestion for the current text, unless that was requested already.
---@param self tabahead.Buffer
---@param invoked boolean
---@param answered? fun() Called when the answer is taken.
local function ask(self, invoked, answered)
  local here = place(self)
  if not invoked and vim.deep_equal(here, self.asked) then
    return
  end
  cancel(self)
  self.asked = here
  ---@type { id: integer? }
  local this = {}
  self.pending = this
  require('tabahead.status').thinking(true)
  this.id = client.request(self.number, invoked, function(items)
    if self.pending ~= this then
      return
    end
    self.pending = nil
    require('tabahead.status').thinking(false)
    if items then
      take(self, here, items)
    end
    if answered then
      answered()
    end
  end)
  if not this.id then
    -- The server could not be asked: ask again as soon as there is one.
    self.pending, self.asked = nil, nil
    require('tabahead.status').thinking(false)
  end
end

--- Handles a change of the text, a move of the cursor, or the start of insert mode.
---@param number integer
function M.follow(number)
  M.look_around()
  if not is_at_home(number) then
    return
  end
  local self = buffer(number)
  local here, asked = place(self), self.asked
  local is_changed = not asked or here.tick ~= asked.tick
  if is_changed then
    self.dismissed = false
  elseif self.shown and not vim.deep_equal(here, asked) and not remaining(self) then
    client.moved(number)
  end
  local is_drawn = draw(self)
  if here.is_nowhere then
    -- There is nothing to request here; a request interrupted by this is made again when the cursor
    -- is back.
    give_up(self)
    self.asked = here
  end
  if not config.options.auto or here.is_nowhere then
    client.moved(number)
    return
  end
  if self.dismissed then
    return
  end
  if not is_drawn then
    ask(self, false)
    return
  end
  -- The answer will most likely be what is drawn already, so the frame with the letter goes first.
  vim.schedule(function()
    if is_at_home(number) and not place(self).is_nowhere then
      ask(self, false)
    end
  end)
end

--- Drops the suggestion and the request of a buffer that the user has left.
---@param self tabahead.Buffer
local function leave(self)
  give_up(self)
  if self.shown then
    client.dismissed(self.number)
  end
  hide(self)
  self.asked = nil
end

--- Removes suggestions that are no longer valid: insert mode was left, another window is the
--- current one, or suggestions are off. A buffer can be left in many ways, and some trigger no
--- event of their own.
function M.look_around()
  for number, self in pairs(buffers) do
    local is_shown_elsewhere = self.shown and self.shown.window ~= vim.api.nvim_get_current_win()
    if (self.shown or self.asked) and (is_shown_elsewhere or not is_at_home(number)) then
      local was_drawn = self.drawn ~= nil
      leave(self)
      if was_drawn and vim.api.nvim_get_mode().mode:sub(1, 1) == 'c' then
        -- Neovim draws nothing else while the user types a command line.
        vim.cmd.redraw()
      end
    end
  end
end

--- Draws again what is drawn, if the shape of the window has changed.
function M.fit()
  local self = buffers[vim.api.nvim_get_current_buf()]
  if self and self.drawn then
    draw(self)
  end
end

--- Returns what is left of the suggestion on the screen, if there is one.
---@return tabahead.Remaining? left
---@return tabahead.Buffer? self
local function on_screen()
  local self = buffers[vim.api.nvim_get_current_buf()]
  local shown = self and self.shown
  if not shown or shown.window ~= vim.api.nvim_get_current_win() or not is_at_home(self.number) then
    return nil
  end
  if not self.dismissed and not menu_has_choice() then
    return remaining(self), self
  end
end

--- Returns whether a suggestion is shown.
---@return boolean
function M.is_shown()
  return on_screen() ~= nil
end

--- Returns whether the suggestion begins with a step of indentation and the cursor is where lines
--- are indented: Tab is then meant as indentation, which is typed along with the suggestion.
---@param left tabahead.Remaining
---@return boolean
local function is_indenting(left)
  local column = vim.api.nvim_win_get_cursor(0)[2]
  local before = vim.api.nvim_get_current_line():sub(1, column)
  local blanks = left.text:match('^[ \t]*')
  return vim.trim(before) == '' and vim.fn.strdisplaywidth(blanks, column) >= vim.fn.shiftwidth()
end

--- Returns whether an action has something to do now.
---@param action string
---@return boolean
function M.can(action)
  if action == 'suggest' then
    return client.is_attached(vim.api.nvim_get_current_buf())
  end
  local left = on_screen()
  return left ~= nil and not (action == 'accept' and is_indenting(left))
end

--- Ends the undo step, so that an accept is a step of its own.
local function end_undo_step()
  -- Setting the option ends the step, even to the same value.
  vim.bo.undolevels = vim.bo.undolevels
end

--- Inserts at the cursor. A paste counts as typed, so that `.` repeats it; but the text is put
--- without the user's own `vim.paste`, and without the frame that Neovim draws after a paste.
---@param text string
local function insert(text)
  local paste = vim.paste
  vim.paste = function(lines)
    vim.api.nvim_put(lines, 'c', false, true)
    return true
  end
  local inserted, reason = pcall(vim.api.nvim_paste, text, false, -1)
  vim.paste = paste
  if not inserted then
    error(reason, 0)
  end
end

--- Accepts the suggestion that is shown, or the start of it.
---@param which tabahead.Part
---@return boolean
function M.accept(which)
  local left, self = on_screen()
  if not left or not self then
    return false
  end
  local text = part.take(left.text, which)
  local is_all = text == left.text
  local reported = (left.typed .. text):sub(self.shown.kept + 1)
  local here, line = place(self), vim.api.nvim_get_current_line()
  local covered = is_all and left.covered or 0
  -- If the line ends with a carriage return as well, the inserted lines must, too.
  if line:sub(here.column + covered + 1) == '\r' then
    text = text:gsub('\r?\n', '\r\n')
  end
  cancel(self)
  end_undo_step()
  if covered > 0 then
    local deleted = vim.fn.strchars(line:sub(here.column + 1, here.column + covered))
    vim.api.nvim_buf_set_text(self.number, here.row, here.column, here.row, here.column + covered, { '' })
    require('tabahead.macro').accepted(text, deleted)
  else
    require('tabahead.macro').accepted(text, 0)
  end
  insert(text)
  end_undo_step()
  if is_all then
    hide(self)
  end
  -- The user waits for the next suggestion, but not for the report.
  M.follow(self.number)
  if is_all then
    client.accepted(left.item, self.number)
  else
    client.accepted_part(left.item, vim.fn.strutf16len(reported))
  end
  return true
end

--- Shows another suggestion; requests alternatives first if there are none yet.
---@param step integer
---@return boolean
function M.cycle(step)
  local left, self = on_screen()
  if not left or not self then
    return false
  end
  local function turn()
    local shown = self.shown
    if shown and #shown.items > 1 then
      shown.choice = (shown.choice - 1 + step) % #shown.items + 1
      client.showed(shown.items[shown.choice])
      draw(self)
    end
  end
  if #self.shown.items > 1 then
    turn()
  else
    ask(self, true, turn)
  end
  return true
end

--- Hides the suggestion until the text changes.
---@return boolean
function M.dismiss()
  local _, self = on_screen()
  if not self then
    return false
  end
  give_up(self)
  hide(self)
  self.dismissed = true
  client.dismissed(self.number)
  return true
end

--- Requests a suggestion at the cursor, even where none is requested automatically.
---@return boolean
function M.suggest()
  local number = vim.api.nvim_get_current_buf()
  if not is_at_home(number) then
    return false
  end
  local self = buffer(number)
  if place(self).is_nowhere then
    return false
  end
  self.dismissed = false
  ask(self, true)
  return true
end

--- Repeats the last request after another model has taken over. It answers pending requests by
--- itself.
function M.renew()
  local number = vim.api.nvim_get_current_buf()
  local self = buffers[number]
  if self and not self.pending and not self.dismissed then
    self.asked = nil
    M.follow(number)
  end
end

--- Drops all suggestions and requests: none of the answers is valid any more.
function M.forget_all()
  for _, self in pairs(buffers) do
    self.pending, self.asked = nil, nil
    hide(self)
  end
  require('tabahead.status').thinking(false)
end

return M
