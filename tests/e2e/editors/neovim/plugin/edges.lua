-- Ghost text that is longer than the window is wide: what Tab would insert can be seen whole.

local actor = require('plugin.actor')
local test = require('harness')
local lua, input, expect, wait, seen = test.lua, test.input, test.expect, test.wait, test.seen

--- Makes every answer this text, in place of the `covered` units after the cursor; nil gives the
--- answers back to the server.
---@param text? string
---@param covered? integer
local function answer(text, covered)
  lua(
    [[
    local client = require('tabahead.client')
    _G.real = _G.real or { request = client.request, accepted = client.accepted }
    client.request, client.accepted = _G.real.request, _G.real.accepted
    local text, covered = ...
    if not text then return end
    client.accepted = function() end
    client.request = function(_, _, answered)
      local row, column = unpack(vim.api.nvim_win_get_cursor(0))
      local units = vim.fn.strutf16len(vim.api.nvim_get_current_line():sub(1, column))
      vim.schedule(function()
        answered({
          {
            insertText = text,
            range = {
              start = { line = row - 1, character = units },
              ['end'] = { line = row - 1, character = units + covered },
            },
            command = { command = 'none', arguments = {} },
          },
        })
      end)
      return -1
    end
  ]],
    text or false,
    covered or 0
  )
end

--- Returns the rows of the current window from the cursor's row on, without the columns of signs and
--- numbers, as far as there is text.
---@return string[]
local function rows()
  return lua([[
    vim.cmd.redraw()
    local info = vim.fn.getwininfo(vim.api.nvim_get_current_win())[1]
    local rows = {}
    for row = info.winrow + vim.fn.winline() - 1, info.winrow + info.height - 1 do
      local cells = {}
      for column = info.wincol + info.textoff, info.wincol + info.width - 1 do
        cells[#cells + 1] = vim.fn.screenstring(row, column)
      end
      local text = table.concat(cells):gsub('%s+$', '')
      rows[#rows + 1] = text == '~' and '' or text
    end
    while rows[#rows] == '' do rows[#rows] = nil end
    return rows
  ]])
end

--- Waits until the rows from the cursor's on are these.
---@param what string
---@param expected string[]
local function expect_rows(what, expected)
  local now
  vim.wait(2000, function()
    now = rows()
    return vim.deep_equal(now, expected)
  end, 20)
  expect(what, now, expected)
end

--- Opens a file in a window of this width, inserting at the end of its last line.
---@param name string
---@param lines string[]
---@param width integer
local function open(name, lines, width)
  answer('')
  actor.open(name, lines)
  lua('vim.cmd("botright vsplit") vim.api.nvim_win_set_width(0, ...)', width)
  input('<Esc>G$a')
  wait('insert mode', function()
    return actor.mode() == 'i'
  end)
end

local function close()
  answer()
  input('<Esc>')
  lua('vim.cmd("only!") vim.cmd("set wrap& number& signcolumn& tabstop& showbreak&")')
end

-- Lines below the cursor's continue in the next row, in the columns of the text, and again when the
-- window's width changes. Wide characters and tabs take what they will.
actor.scenario('edge below', function()
  open('below.txt', { 'begin ' }, 20)
  answer('{\n\tone two three four five six\n漢字漢字漢字漢字漢字!')
  input('x')
  local whole =
    { 'begin x{', '        one two thre', 'e four five six', '漢字漢字漢字漢字漢字', '!' }
  expect_rows('20 columns', whole)
  lua('vim.api.nvim_win_set_width(0, 17)')
  local narrow =
    { 'begin x{', '        one two t', 'hree four five si', 'x', '漢字漢字漢字漢字', '漢字!' }
  expect_rows('17 columns', narrow)
  lua('vim.api.nvim_win_set_width(0, 21) vim.wo.number = true vim.wo.signcolumn = "no"')
  expect_rows('17 columns beside the numbers', narrow)
  -- Signs come without a change of the text or of the window.
  lua([[
    vim.wo.number, vim.wo.signcolumn = false, 'auto'
    vim.api.nvim_win_set_width(0, 19)
    local signs = vim.api.nvim_create_namespace('signs')
    vim.api.nvim_buf_set_extmark(0, signs, 0, 0, { sign_text = '!!' })
  ]])
  expect_rows('17 columns beside a sign', narrow)
  lua([[vim.bo.tabstop = 2]])
  input('<Left><Right>')
  expect_rows('another width of tabs', {
    'begin x{',
    '  one two three f',
    'our five six',
    '漢字漢字漢字漢字',
    '漢字!',
  })
  input('<Tab>')
  wait('the accepted text', function()
    return test.buffer() == 'begin x{\n\tone two three four five six\n漢字漢字漢字漢字漢字!'
  end)
  close()
  seen('long lines below the cursor continue in the next row, in windows of any width')
end)

-- With 'nowrap', the window scrolls to the end of what is suggested in the cursor's line. What is
-- longer than the window is wide continues in the next row, and the text after the cursor follows.
actor.scenario('edge nowrap', function()
  open('nowrap.txt', { 'begin (tail)' }, 20)
  lua('vim.wo.wrap = false')
  input('<Esc>0f(a')
  answer('one two three ')
  lua([[require('tabahead').suggest()]])
  expect_rows('what has room', { 'in (one two three ta' })
  answer('one two three four five ')
  lua([[require('tabahead').suggest()]])
  expect_rows('what has none', { 'in (one two three fo', 'ur five tail)' })
  input('<Tab>')
  wait('the accepted text', function()
    return test.buffer() == 'begin (one two three four five tail)'
  end)
  input('<Esc>ccbegin (|)<Left>')
  answer('one two three four five)', 1)
  lua([[require('tabahead').suggest()]])
  expect_rows('around a bracket', { 'begin (|one two thre', 'e four five)' })
  answer('one)\n  two three four five', 1)
  lua([[require('tabahead').suggest()]])
  expect_rows('two lines', { 'begin (|one)', '  two three four fiv', 'e' })
  close()
  seen("with 'nowrap', all of a long line is in sight")
end)

-- A suggestion of several lines is drawn over the text after the cursor, in all rows that it has.
actor.scenario('edge over', function()
  open('over.txt', { 'begin text after the cursor that is long' }, 20)
  input('<Esc>0ea')
  answer(' one\ntwo ')
  lua([[require('tabahead').suggest()]])
  expect_rows('a short line', { 'begin one', '', 'two  text after the', 'cursor that is long' })
  answer(' one two three four five six\nseven ')
  lua([[require('tabahead').suggest()]])
  expect_rows('a long line', {
    'begin one two three',
    'four five six',
    'seven  text after th',
    'e cursor that is lon',
    'g',
  })
  close()
  seen('the text after the cursor is drawn once, in however many rows')
end)

-- At the end of the window, it scrolls until all rows of the suggestion are in sight.
actor.scenario('edge scrolled', function()
  local lines = {}
  for number = 1, 40 do
    lines[number] = ('line %d has more than twenty'):format(number)
  end
  lines[41] = 'begin '
  open('scrolled.txt', lines, 20)
  answer('one two three four\nfive six seven eight nine')
  input('<Esc>zba')
  expect_rows('its rows', { 'begin one two three', 'four', 'five six seven eight', ' nine' })
  close()
  seen('the window scrolls for all rows of a suggestion')
end)
