-- Ghost text while typing, accepting all or part of it, and the other keys.

local actor = require('plugin.actor')
local samples = require('samples')
local test = require('harness')
local lua, input, expect, wait, seen = test.lua, test.input, test.expect, test.wait, test.seen

-- While typing, ghost text is on the screen and not in the buffer.
actor.scenario('chain', function()
  local before = actor.open('chain.rs', samples.rust)
  actor.type_text('acc')
  before = before .. 'acc'
  local text = actor.shown()
  expect('the buffer', test.buffer(), before)
  expect('the ghost text', text, actor.fresh())
  expect('the screen', test.screen(), before .. text)
  seen('ghost text on the screen and not in the buffer: ' .. vim.inspect(text))

  -- Tab, Tab, Tab: each next suggestion was computed ahead.
  local counted = test.settle()
  local accepted = {}
  for number = 1, 4 do
    actor.shown()
    accepted[number] = actor.tab()
    before = before .. accepted[number]
    expect('the buffer after Tab ' .. number, test.buffer(), before)
  end
  local after = test.settle()
  expect('answers that were computed ahead', after.hits.speculated - counted.hits.speculated, 4)
  expect('answers that had to be computed', after.misses, counted.misses)
  expect('accepts', after.outcomes.accepted_all - counted.outcomes.accepted_all, 4)
  seen('Tab x 4, each answered from what was computed ahead: ' .. vim.inspect(accepted))

  -- One undo reverts one accept and nothing else; redo restores it.
  input('<Esc>u')
  wait('undo', function()
    return test.buffer() == before:sub(1, #before - #accepted[4])
  end)
  input('u')
  wait('the second undo', function()
    return test.buffer() == before:sub(1, #before - #accepted[4] - #accepted[3])
  end)
  input('<C-r><C-r>')
  wait('redo', function()
    return test.buffer() == before
  end)
  seen('each undo took back one accept')
end)

-- Typing along: in every frame, the typed text and the remaining ghost text form the same line.
actor.scenario('along', function()
  local before = actor.open('along.rs', samples.rust)
  actor.type_text('acc')
  before = before .. 'acc'
  local text = vim.split(actor.shown(), '\n')[1]
  local line = vim.split(before, '\n')
  local whole = line[#line] .. text
  local counted = test.settle()
  local first_frame = actor.next_frame()
  for i = 1, #text - 1 do
    input(test.typed(text:sub(i, i)))
    wait('a letter', function()
      return test.buffer() == before .. text:sub(1, i)
    end)
    test.settle()
  end
  local after = test.settle()
  local count = actor.expect_frames(first_frame, whole)
  if count < #text - 1 then
    test.fail(('%d frames for %d letters'):format(count, #text - 1))
  end
  expect('letters typed along', after.outcomes.typed_along - counted.outcomes.typed_along, #text - 1)
  expect('nothing computed for them', after.misses, counted.misses)
  seen(('typed %d letters along, the same line in each of %d frames'):format(#text - 1, count))

  -- And back: as letters are deleted, the ghost text returns.
  first_frame = actor.next_frame()
  for i = 1, 4 do
    input('<BS>')
    wait('a letter to go', function()
      return test.buffer() == before .. text:sub(1, #text - 1 - i)
    end)
  end
  test.settle()
  actor.expect_frames(first_frame, whole)
  expect('the ghost text', vim.split(actor.ghost(), '\n')[1], text:sub(-5))
  seen('four letters back, the same line in each frame')

  -- An accept after typing along repeats no letter, however fast the keys come.
  local left = actor.ghost()
  input(left:sub(1, 2) .. '<Tab>')
  before = before .. text:sub(1, #text - 5)
  wait('the accepted text', function()
    return test.buffer() == before .. left
  end)
  input('<Esc>')
  expect('the buffer', test.buffer(), before .. left)
  seen('two letters of it and Tab in one go: nothing twice')
end)

-- Between Tab and the accepted text nothing else is drawn: the line looks as it did with its ghost
-- text.
actor.scenario('steady', function()
  local before = actor.open('steady.rs', samples.rust)
  actor.type_text('acc')
  local text = actor.shown()
  local row = (before .. 'acc' .. text):match('[^\n]*$')
  local first = actor.next_frame()
  actor.tab()
  local count = actor.expect_frames(first, row)
  seen(('the line was the same in each of %d frames after Tab'):format(count))
end)

-- Accepts by word and by line; the rest stays.
actor.scenario('parts', function()
  local before = actor.open('parts.rs', samples.rust)
  actor.type_text('acc')
  before = before .. 'acc'
  local text = actor.shown()
  local counted = actor.outcomes()
  local taken = ''
  for _ = 1, 3 do
    input('<C-Right>')
    wait('a word', function()
      local now = test.buffer()
      return #now > #before + #taken and vim.startswith(before .. text, now)
    end)
    taken = test.buffer():sub(#before + 1)
    test.settle()
    expect('what is left', actor.ghost(), text:sub(#taken + 1))
  end
  seen('three words: ' .. vim.inspect(taken))
  expect('words', actor.outcomes().accepted_word - counted.accepted_word, 3)
  input('<M-End>')
  local first = vim.split(text, '\n')[1]
  wait('the line', function()
    return test.buffer() == before .. first
  end)
  seen('the rest of the line: ' .. vim.inspect(first:sub(#taken + 1)))

  -- A dismissed suggestion does not return until the text changes, and the server is notified.
  actor.shown()
  counted = actor.outcomes()
  input('<C-]>')
  wait('the ghost text to go', function()
    return actor.ghost() == ''
  end)
  input('<Left><Right>')
  test.settle()
  expect('ghost text after moving away and back', actor.ghost(), '')
  expect('dismissed', actor.outcomes().dismissed - counted.dismissed, 1)
  expect('what the key did before is not done', test.buffer(), before .. first)
  input('<C-]>')
  wait('what the key did before', function()
    return test.buffer() == before .. first .. ']'
  end)
  input('<BS>')
  wait('ghost text again', function()
    return actor.ghost() ~= ''
  end)
  seen('dismissed until the text changed; without ghost text the key does what it did before')

  -- The server is also notified when the cursor moves away and when insert mode is left.
  lua('require("sent").clear()')
  input('<Up>')
  wait('the move to be reported', function()
    return vim.list_contains(lua('return require("sent").names'), 'tabahead/didMoveCursor')
  end)
  input('<Down>')
  actor.shown()
  counted = actor.outcomes()
  input('<Esc>')
  wait('leaving insert mode to count', function()
    return actor.outcomes().dismissed == counted.dismissed + 1
  end)
  expect('ghost text in normal mode', actor.ghost(), '')
  seen('the server learns of the cursor that moves away and of leaving insert mode')
end)

-- A superseded request is cancelled.
actor.scenario('cancelled', function()
  actor.open('cancelled.rs', samples.rust)
  lua([[
  require('sent').clear()
  for _ = 1, 3 do
    vim.api.nvim_put({ 'z' }, 'c', false, true)
    vim.api.nvim_exec_autocmds('TextChangedI', { buffer = 0 })
  end
]])
  local cancelled = vim.tbl_filter(function(method)
    return method == '$/cancelRequest'
  end, lua('return require("sent").names'))
  if #cancelled < 2 then
    test.fail(#cancelled .. ' of 2 replaced requests were cancelled')
  end
  seen('replaced requests are cancelled')
end)

-- Several suggestions, on request.
actor.scenario('several', function()
  actor.open('several.rs', samples.rust)
  local text = actor.shown()
  local offered = { text }
  input('<M-]>')
  wait('the second of several', function()
    return actor.ghost():find('%(2/%d%)') ~= nil
  end)
  local function without_count()
    return (actor.ghost():gsub(' %(%d/%d%)$', ''))
  end
  while #offered < 9 and not vim.list_contains(offered, without_count()) do
    table.insert(offered, without_count())
    local drawn = actor.ghost()
    input('<M-]>')
    wait('the next', function()
      return actor.ghost() ~= drawn
    end)
  end
  expect('after the last comes the first', without_count(), offered[1])
  input('<M-[>')
  wait('the last again', function()
    return without_count() == offered[#offered]
  end)
  local before = test.buffer()
  input('<Tab>')
  wait('its text', function()
    return test.buffer() == before .. offered[#offered]
  end)
  seen('several on asking, there and back, the last accepted: ' .. vim.inspect(offered))
end)

-- The server's answer to what is left of an alternative has fewer items than were shown.
actor.scenario('part of an alternative', function()
  actor.open('alternative.rs', samples.rust)
  actor.shown()
  input('<M-]>')
  wait('the second of several', function()
    return actor.ghost():find('%(2/%d%)') ~= nil
  end)
  local offered = actor.ghost():gsub(' %(%d/%d%)$', '')
  local before = test.buffer()
  input('<C-Right>')
  wait('its first word', function()
    return #test.buffer() > #before
  end)
  local word = test.buffer():sub(#before + 1)
  expect('the start of the alternative', vim.startswith(offered, word), true)
  test.settle()
  expect('no key is waited for', lua('return vim.api.nvim_get_mode().blocking'), false)
  local left = actor.shown()
  input('<Tab>')
  wait('the rest', function()
    return test.buffer() == before .. word .. left
  end)
  seen('a word of an alternative and the rest: ' .. vim.inspect({ word, left }))
end)

-- Asking by hand when automatic requests are off.
actor.scenario('asked', function()
  lua([[require('tabahead.config').options.auto = false]])
  actor.open('asked.rs', samples.rust)
  actor.type_text('acc')
  expect('ghost text', actor.ghost(), '')
  input('<M-\\>')
  local text = actor.shown()
  lua([[require('tabahead.config').options.auto = true]])
  seen('without `auto`, nothing until it was asked for: ' .. vim.inspect(text))
end)

-- Before a closing bracket: the suggestion contains that bracket, too, and it is not doubled.
actor.scenario('closer', function()
  actor.open('closer.py', samples.closer)
  input('<Esc>0f(a')
  test.settle()
  actor.shown()
  local full = actor.fresh()
  local row = test.screen():match('half[^\n]*')
  expect('the row on the screen', row, 'half = width(' .. full .. ' * 2')
  actor.tab(1, full)
  expect('the line', lua('return vim.api.nvim_get_current_line()'), 'half = width(' .. full .. ' * 2')
  expect('the cursor', test.cursor()[2], #('half = width(' .. full))
  seen('in the middle of a line, over a closing bracket: ' .. row)
  input('<Esc>u')
  wait('undo', function()
    return lua('return vim.api.nvim_get_current_line()') == 'half = width() * 2'
  end)
  seen('one undo brings the bracket back')
end)

-- Tabs are drawn as wide as they will be once accepted.
actor.scenario('tabs', function()
  local before = actor.open('tabs.go', samples.go)
  for _ = 1, 3 do
    actor.shown()
    local text = actor.fresh()
    actor.expect_screen('the screen', before .. text)
    actor.tab(0, text)
    before = before .. text
    expect('the buffer', test.buffer(), before)
  end
  seen('tabs are drawn as they will be: ' .. vim.inspect(before:sub(-60)))
end)

-- Characters of several bytes and of two columns, with both line ends.
actor.scenario('wide', function()
  for _, ending in ipairs({ '\n', '\r\n' }) do
    local name = ending == '\n' and 'wide.py' or 'dos.py'
    local before = actor.open(name, samples.wide, ending)
    expect('line ends', lua('return vim.bo.fileformat'), ending == '\n' and 'unix' or 'dos')
    actor.type_text('漢')
    before = before .. '漢'
    local text = actor.shown()
    expect('the ghost text', text, actor.fresh())
    expect('the screen', test.screen(), before .. text)
    local letter = vim.fn.strcharpart(text, 0, 1)
    actor.type_text(letter)
    before, text = before .. letter, text:sub(#letter + 1)
    expect('the ghost text after a typed letter', actor.ghost(), text)
    actor.tab()
    before = before .. text
    expect('the buffer', test.buffer(), before)
    text = actor.shown()
    actor.tab()
    before = before .. text
    expect('the buffer', test.buffer(), before)
    input('<Esc>:w<CR>')
    local expected = (before:gsub('\n', ending)) .. ending
    wait('the file', function()
      local file = io.open(actor.folder .. '/' .. name, 'rb')
      local written = file and file:read('a') or ''
      if file then
        file:close()
      end
      return written == expected
    end)
    seen(('%s: %s'):format(name, vim.inspect(before:sub(-30))))
  end
end)

-- While the server does not answer, the ghost text follows the typed text and disappears with the
-- first letter that differs.
actor.scenario('waiting', function()
  local before = actor.open('waiting.rs', samples.rust)
  actor.type_text('acc')
  before = before .. 'acc'
  local text = vim.split(actor.shown(), '\n')[1]
  local row = vim.split(before, '\n')
  local whole = row[#row] .. text
  local pid = test.settle().pid
  local function type_letter(letter)
    before = before .. letter
    input(test.typed(letter))
    wait('a letter', function()
      return test.buffer() == before
    end)
  end
  vim.uv.kill(pid, 'sigstop')
  local first = actor.next_frame()
  for letter in text:sub(1, 5):gmatch('.') do
    type_letter(letter)
  end
  expect('letters that were drawn', actor.expect_frames(first, whole) >= 5, true)
  expect('what is left', actor.ghost(), text:sub(6))
  first = actor.next_frame()
  type_letter('#')
  actor.expect_frames(first, row[#row] .. text:sub(1, 5) .. '#')
  input('<BS><BS>')
  before = before:sub(1, -3)
  wait('two letters to go', function()
    return test.buffer() == before
  end)
  vim.uv.kill(pid, 'sigcont')
  -- Seven requests were made in the meantime, and one of them counts.
  expect('the ghost text', actor.shown(), actor.fresh())
  seen('without any answer, five letters were typed along; a sixth that differs ended it')
end)

-- Text that the user types, leaving it after the cursor by moving back in the same go, is not taken
-- for part of the suggestion.
actor.scenario('after', function()
  local lines = vim.list_slice(samples.rust, 1, #samples.rust - 1)
  local before = actor.open('after.rs', vim.list_extend(lines, { '' }))
  actor.shown()
  local pid = test.settle().pid
  vim.uv.kill(pid, 'sigstop')
  input('mine()<Home>')
  wait('the text', function()
    return test.buffer() == before .. 'mine()' and test.cursor()[2] == 0
  end)
  expect('ghost text', actor.ghost(), '')
  expect('whether something could be accepted', lua([[return require('tabahead').accept()]]), false)
  vim.uv.kill(pid, 'sigcont')
  test.settle()
  expect('the buffer', test.buffer(), before .. 'mine()')
  seen("typed text after the cursor is the user's own")
end)

-- At the beginning of a line, Tab indents when the suggestion begins with indentation.
actor.scenario('indentation', function()
  local lines = vim.list_slice(samples.rust, 1, #samples.rust - 1)
  local before = actor.open('indentation.rs', vim.list_extend(lines, { '' }))
  local text = actor.shown()
  expect('the beginning of the ghost text', text:match('^ *'), (' '):rep(12))
  lua('vim.bo.expandtab = true vim.bo.shiftwidth = 4 vim.bo.softtabstop = 4')
  for step = 1, 2 do
    input('<Tab>')
    wait('indentation', function()
      return test.buffer() == before .. (' '):rep(4 * step)
    end)
    test.settle()
    expect('what is left', actor.ghost(), text:sub(4 * step + 1))
  end
  seen('in front of a line, Tab indents, and the ghost text stays where it is')
end)
