-- Texts whose lines or characters LSP and Neovim count differently, and languages that have two
-- names.

local actor = require('plugin.actor')
local samples = require('samples')
local test = require('harness')
local lua, input, expect, wait, seen = test.lua, test.input, test.expect, test.wait, test.seen

local function messages()
  return vim.trim((lua([[return vim.fn.execute('messages')]]):gsub('"[^\n]*"[^\n]*', '')))
end

-- A file whose lines end with a carriage return alone: accepted line breaks are line breaks.
actor.scenario('mac', function()
  local before = actor.open('mac.rs', samples.rust, '\r', '++ff=mac')
  expect('line ends', lua('return vim.bo.fileformat'), 'mac')
  expect('lines', #vim.split(before, '\n'), #samples.rust)
  for _ = 1, 2 do
    local text = actor.shown()
    expect('the ghost text', text, actor.fresh())
    actor.tab()
    before = before .. text
    expect('the buffer', test.buffer(), before)
  end
  expect('a line break was accepted', #vim.split(before, '\n') > #samples.rust, true)
  input('<Esc>:w<CR>')
  wait('the file', function()
    local file = assert(io.open(actor.folder .. '/mac.rs', 'rb'))
    local written = file:read('a')
    file:close()
    return written == before:gsub('\n', '\r') .. '\r'
  end)
  seen('in a file of carriage returns, accepted lines are lines: ' .. vim.inspect(before:sub(-40)))
end)

-- Line ends of both kinds: Neovim shows the carriage returns, and an accept before one inserts more
-- of them.
actor.scenario('mixed', function()
  local lines = vim.list_slice(samples.rust, 1, #samples.rust - 1)
  table.insert(lines, '            account: account.to_owned(),')
  local plain = actor.open('plain.rs', lines)
  local expected = actor.shown()
  expect('a line break', expected:sub(1, 1), '\n')
  lines = vim.tbl_map(function(line)
    return line .. '\r'
  end, lines)
  table.insert(lines, 1, '// no carriage return')
  local before = actor.open('mixed.rs', lines)
  expect('line ends', lua('return vim.bo.fileformat'), 'unix')
  test.settle()
  expect('ghost text after the carriage return', actor.ghost(), '')
  input('<Left>')
  actor.shown()
  input('<Tab>')
  wait('the accepted text', function()
    return test.buffer() ~= before
  end)
  local accepted = '// no carriage return\n' .. (plain .. expected):gsub('\n', '\r\n') .. '\r'
  expect('the buffer', test.buffer(), accepted)
  seen('in front of a carriage return, accepted lines end with one: ' .. vim.inspect(accepted:sub(-40)))
end)

-- A carriage return within a line, present from the start or typed: the ghost text belongs to the
-- cursor's line.
actor.scenario('return', function()
  local function lines(sign)
    local all = { 'const BAR: &str = "a' .. sign .. 'b' .. sign .. 'c";' }
    return vim.list_extend(all, samples.rust)
  end
  actor.open('blank.rs', lines(' '))
  actor.type_text('acc')
  local expected = actor.shown()
  expect('the ghost text', expected, actor.fresh())
  actor.open('return.rs', lines('\r'))
  actor.type_text('acc')
  expect('the ghost text', actor.shown(), expected)
  input('<BS>')
  actor.type_text('c')
  expect('the ghost text after an edit', actor.shown(), expected)
  local before = test.buffer()
  input('<Tab>')
  wait('the accepted text', function()
    return test.buffer() == before .. expected
  end)
  actor.open('typed.rs', lines(' '))
  lua([[vim.api.nvim_buf_set_text(0, 0, 20, 0, 21, { '\r' })]])
  lua([[vim.api.nvim_buf_set_text(0, 0, 22, 0, 23, { '\r' })]])
  actor.type_text('acc')
  expect('the ghost text below a typed one', actor.shown(), expected)
  expect('the carriage returns', select(2, test.buffer():gsub('\r', '')), 2)
  seen('below carriage returns within a line: ' .. vim.inspect(expected))
end)

-- Bytes that are not UTF-8, as in a file of another encoding that is read without conversion.
actor.scenario('bytes', function()
  local marks = { '\xe9', '\xe9\xa9', '\xf0\x9f\x98', '\xc0\xaf', '\xed\xa0\xbd', '\x80\x80' }
  for number, mark in ipairs(marks) do
    local lines = { '# caf' .. mark, 'items = [1, 2, 3]', 'for item in items:', '    print(item)', '' }
    table.insert(lines, 'mark = "' .. mark .. '!"; for item in ')
    lua([[vim.cmd.messages('clear')]])
    actor.open(('bytes%d.py'):format(number), lines, '\n', '++bin')
    expect('the byte', vim.startswith(test.buffer(), lines[1] .. '\n'), true)
    local shown = actor.shown()
    local units = lua('return vim.fn.strutf16len(...)', mark)
    local readable = vim.tbl_map(function(line)
      return (line:gsub(vim.pesc(mark), (('\u{FFFD}'):rep(units))))
    end, lines)
    actor.open(('readable%d.py'):format(number), readable)
    expect('the ghost text', shown, actor.shown())
    expect('messages', messages(), '')
  end
  seen(('%d kinds of bytes that are no UTF-8: ghost text where it belongs, and no message'):format(#marks))
end)

--- Splits `text`, which must be UTF-8, into lines as LSP counts them.
---@param text string
---@return { text: string, ending: string }[]
local function lines_of(text)
  local lines, from = {}, 1
  while true do
    local at = text:find('[\r\n]', from)
    if not at then
      table.insert(lines, { text = text:sub(from), ending = '' })
      return lines
    end
    local ending = text:match('^\r\n', at) or text:sub(at, at)
    table.insert(lines, { text = text:sub(from, at - 1), ending = ending })
    from = at + #ending
  end
end

--- Returns the number of UTF-16 units and bytes of each character of `line`. Fails if `line` is not
--- UTF-8.
---@param line string
---@return { units: integer, bytes: integer }[]
local function characters(line)
  local all, at = {}, 1
  while at <= #line do
    local lead = line:byte(at)
    local bytes = lead < 0x80 and 1
      or lead < 0xC2 and 0
      or lead < 0xE0 and 2
      or lead < 0xF0 and 3
      or lead < 0xF5 and 4
      or 0
    local character = line:sub(at, at + bytes - 1)
    local second = character:byte(2) or 0x80
    local is_good = bytes > 0 and #character == bytes and not character:sub(2):find('[^\x80-\xBF]')
    is_good = is_good and not (lead == 0xE0 and second < 0xA0) and not (lead == 0xED and second > 0x9F)
    is_good = is_good and not (lead == 0xF0 and second < 0x90) and not (lead == 0xF4 and second > 0x8F)
    if not is_good then
      test.fail(('the server was sent no UTF-8: %s'):format(vim.inspect(line)))
    end
    table.insert(all, { units = bytes == 4 and 2 or 1, bytes = bytes })
    at = at + bytes
  end
  return all
end

--- Returns the byte offset of `position`, from 0.
---@param text string
---@param position lsp.Position
---@return integer
local function offset(text, position)
  local lines, at = lines_of(text), 0
  for i = 1, math.min(position.line, #lines) do
    at = at + #lines[i].text + #lines[i].ending
  end
  local line = lines[position.line + 1]
  local units = position.character
  for _, character in ipairs(line and characters(line.text) or {}) do
    if units <= 0 then
      break
    end
    units, at = units - character.units, at + character.bytes
  end
  return at
end

-- After any edits of any text, a server that follows LSP has as many lines as the buffer, each as
-- wide.
actor.scenario('mirror', function()
  local state = tonumber(vim.env.SEED) or 1
  local function random(limit)
    state = (state * 1103515245 + 12345) % 2147483648
    return math.floor(state / 65536) % limit + 1
  end
  local plain = { 'a', 'é', '漢', '🙂', ' ', '\u{2028}', 'word' }
  local odd =
    { '\r', '\r\r', '\0', '\xe9', '\xf0\x9f', '\x98', '\xed\xa0\xbd', '\xf8\x88\x80\x80\x80', 'x\r' }
  local round = 0
  local function random_line()
    local parts = {}
    for _ = 1, random(6) do
      local from = round % 25 > 12 and random(2) == 1 and odd or plain
      table.insert(parts, from[random(#from)])
    end
    return table.concat(parts)
  end
  lua([[vim.cmd.messages('clear')]])
  local text, version
  local parts_sent = 0
  local function catch_up()
    test.settle()
    for _, sent in
      ipairs(lua('local sent = require("sent") local texts = sent.texts sent.texts = {} return texts'))
    do
      if sent.textDocument.text then
        text = sent.textDocument.text
      end
      for _, change in ipairs(sent.contentChanges or {}) do
        if change.range then
          parts_sent = parts_sent + 1
          local from, to = offset(text, change.range.start), offset(text, change.range['end'])
          text = text:sub(1, from) .. change.text .. text:sub(to + 1)
        else
          text = change.text
        end
      end
      version = sent.textDocument.version
    end
  end
  local formats, rounds, checked = { 'unix', 'dos', 'mac' }, tonumber(vim.env.ROUNDS) or 150, 0
  while round <= rounds do
    local what = 'opened'
    if round % 50 == 0 then
      lua('require("sent").clear()')
      local format = formats[round / 50 % 3 + 1]
      local ending = ({ unix = '\n', dos = '\r\n', mac = '\r' })[format]
      actor.open(('mirror%d.rs'):format(round), { 'one', 'two', 'three' }, ending, '++ff=' .. format)
      input('<Esc>')
    else
      local kind = random(10)
      local lines = {}
      for _ = 1, kind <= 4 and 1 or random(3) do
        table.insert(lines, random_line())
      end
      what = kind <= 6 and 'text' or kind <= 8 and 'lines' or kind == 9 and 'undo' or 'format'
      lua(
        [[
        local what, lines, a, b, c, format = ...
        -- A letter's bytes are not taken apart by what follows.
        local count = vim.api.nvim_buf_line_count(0)
        local from, to = math.min(a % count, b % count), math.max(a % count, b % count)
        if what == 'text' then
          local line = vim.api.nvim_buf_get_lines(0, from, from + 1, true)[1]
          local starts = vim.list_extend(vim.str_utf_pos((line:gsub('%z', '\n'))), { #line + 1 })
          local start, stop = starts[a % #starts + 1] - 1, starts[c % #starts + 1] - 1
          vim.api.nvim_buf_set_text(0, from, math.min(start, stop), from, math.max(start, stop), lines)
        elseif what == 'lines' then
          vim.api.nvim_buf_set_lines(0, from, to, true, lines)
        elseif what == 'undo' then
          vim.cmd('silent! undo')
        else
          vim.bo.fileformat = format
        end
      ]],
        what,
        lines,
        random(9),
        random(9),
        random(9),
        formats[random(3)]
      )
    end
    catch_up()
    expect('the version', version, lua('return vim.lsp.util.buf_versions[vim.api.nvim_get_current_buf()]'))
    local buffer = lua([[
      local lines = vim.api.nvim_buf_get_lines(0, 0, -1, true)
      local units = vim.tbl_map(function(line)
        return vim.fn.strutf16len((line:gsub('%z', '\n')))
      end, lines)
      return { lines, units, vim.bo.fileformat }
    ]])
    local mirrored = lines_of(text)
    -- After the last line end, there is another line for LSP, and none for Neovim.
    if mirrored[#mirrored].text == '' then
      table.remove(mirrored)
    end
    local where = ('in round %d, %s, of %s'):format(round, what, vim.inspect(buffer[1]))
    expect('lines ' .. where, #mirrored, #buffer[1])
    for number, line in ipairs(buffer[1]) do
      -- A carriage return before a line feed is part of the line end for LSP, and part of the line
      -- for Neovim.
      local is_crlf = buffer[3] == 'unix' and line:sub(-1) == '\r'
      local ending = is_crlf and '\r\n' or ({ unix = '\n', dos = '\r\n', mac = '\r' })[buffer[3]]
      expect(('the end of line %d %s'):format(number, where), mirrored[number].ending, ending)
      local units = is_crlf and 1 or 0
      for _, character in ipairs(characters(mirrored[number].text)) do
        units = units + character.units
      end
      expect(('units of line %d %s'):format(number, where), units, buffer[2][number])
      if not line:find('[\r\x80-\xFF]') then
        expect(('line %d %s'):format(number, where), mirrored[number].text, line)
      end
      checked = checked + 1
    end
    round = round + 1
  end
  expect('messages', messages(), '')
  expect('changes that were sent as such', parts_sent > 0, true)
  seen(
    ('%d rounds of edits, %d sent as parts: %d lines are as many and as wide for the server'):format(
      rounds,
      parts_sent,
      checked
    )
  )
end)

-- A NUL before the cursor is a character like any other.
actor.scenario('nul', function()
  local lines = { 'items = [1, 2, 3]', 'for item in items:', '    print(item)', '' }
  lua([[vim.cmd.messages('clear')]])
  actor.open('nul.py', vim.list_extend(lines, { 'mark = "a\0b"; for item in ' }))
  local text = actor.shown()
  expect('the ghost text', text, actor.fresh())
  input('<Tab>')
  wait('the accepted text', function()
    return vim.endswith(test.buffer(), 'a\0b"; for item in ' .. text)
  end)
  expect('messages', messages(), '')
  seen('after a NUL: ' .. vim.inspect(text))
end)

-- Neovim and LSP have different names for languages; the settings accept both.
actor.scenario('language', function()
  local shell = { 'for file in *.txt; do', '  echo "$file"', 'done', '', 'for file in ' }
  local settings = lua([[return require('tabahead.config').options.settings]])
  -- Settings are sent only to a running server.
  actor.open('language.sh', shell)
  for number, case in ipairs({
    { { shellscript = false }, false },
    { { sh = false }, false },
    { { bash = false }, false },
    { { python = false }, true },
    { { ['*'] = false, shellscript = true }, true },
  }) do
    local languages, is_on = unpack(case)
    lua(
      [[require('tabahead.client').configure(...)]],
      vim.tbl_extend('force', settings, { languages = languages })
    )
    actor.open(('language%d.sh'):format(number), shell)
    expect('the type', lua('return vim.bo.filetype'), 'sh')
    if is_on then
      actor.shown()
    end
    wait('the status with ' .. vim.inspect(languages), function()
      return lua([[return require('tabahead').statusline()]]) == (is_on and 'tabahead' or 'tabahead off')
    end)
    test.settle()
    expect('ghost text with ' .. vim.inspect(languages), actor.ghost() ~= '', is_on)
  end
  lua([[require('tabahead.client').configure(...)]], settings)
  seen("a shell script is meant by LSP's name of the language and by Neovim's")
end)
