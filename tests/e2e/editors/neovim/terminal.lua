-- A screen attached to the Neovim under test, as a terminal is. Records every frame that a user
-- would see, and when.
--
-- `screenstring()` redraws before it reads; this module sees what Neovim sends by itself, at the
-- moment it is sent.

local M = {}

---@class Frame
---@field time integer Nanoseconds, on the clock of `vim.uv.hrtime`.
---@field rows string[]
---@field row integer Row of the cursor, from 0.
---@field column integer Column of the cursor, in cells from 0.

--- Attaches a screen of 24 rows and 80 columns.
---@param address string Address on which the Neovim under test listens.
---@return Frame[] frames List to which each frame is added.
---@return fun() catch_up Waits for every frame that was sent before the call.
function M.attach(address)
  local frames = {}
  local columns, lines = 80, 24
  local grid = {}
  local cursor = { 0, 0 }
  for row = 1, lines do
    grid[row] = {}
    for column = 1, columns do
      grid[row][column] = ' '
    end
  end

  local on = {}

  function on.grid_line(_, row, column, cells)
    for _, cell in ipairs(cells) do
      for _ = 1, cell[3] or 1 do
        grid[row + 1][column + 1] = cell[1]
        column = column + 1
      end
    end
  end

  function on.grid_clear()
    for row = 1, lines do
      for column = 1, columns do
        grid[row][column] = ' '
      end
    end
  end

  function on.grid_scroll(_, top, bottom, left, right, by)
    local first, last, step = top + 1, bottom - by, 1
    if by < 0 then
      first, last, step = bottom, top + 1 - by, -1
    end
    for row = first, last, step do
      for column = left + 1, right do
        grid[row][column] = grid[row + by][column]
      end
    end
  end

  function on.grid_cursor_goto(_, row, column)
    cursor = { row, column }
  end

  function on.flush()
    local rows = {}
    for row = 1, lines do
      rows[row] = table.concat(grid[row]):gsub('%s+$', '')
    end
    table.insert(frames, { time = vim.uv.hrtime(), rows = rows, row = cursor[1], column = cursor[2] })
  end

  local pipe = assert(vim.uv.new_pipe(false))
  local connected = false
  pipe:connect(address, function(failed)
    assert(not failed, failed)
    connected = true
  end)
  vim.wait(5000, function()
    return connected
  end, 5)
  local answered = 0
  local unpack_message = vim.mpack.Unpacker()
  local unread = ''
  pipe:read_start(function(failed, chunk)
    assert(not failed, failed)
    unread = unread .. (chunk or '')
    while #unread > 0 do
      local message, position = unpack_message(unread, 1)
      -- The unpacker keeps an incomplete message itself.
      unread = unread:sub(position)
      if message == nil then
        break
      end
      -- [1, number, error, result] or [2, "redraw", [[event, arguments, arguments], ...]]
      if message[1] == 1 then
        answered = message[2]
      elseif message[1] == 2 and message[2] == 'redraw' then
        for _, event in ipairs(message[3]) do
          local handler = on[event[1]]
          for i = 2, handler and #event or 0 do
            handler(unpack(event[i]))
          end
        end
      end
    end
  end)
  local asked = 0
  local function ask(method, arguments)
    asked = asked + 1
    pipe:write(vim.mpack.encode({ 0, asked, method, arguments }))
    -- Answers arrive in the order of the requests, and after the frames that were sent before.
    assert(vim.wait(10000, function()
      return answered == asked
    end, 2))
  end

  ask('nvim_ui_attach', { columns, lines, { rgb = true, ext_linegrid = true } })
  return frames, function()
    ask('nvim_get_mode', {})
  end
end

return M
