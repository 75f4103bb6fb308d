-- Converts a buffer's text for the server and for Vim's functions.
--
-- The server counts lines and UTF-16 units as LSP specifies: a carriage return ends a line wherever
-- it is, and text is UTF-8. A buffer's lines may hold carriage returns and bytes that are not
-- UTF-8. Neovim sends them unchanged: for the server, every line below would have another number,
-- or every later character on the line another column. So a carriage return within a line is sent
-- as a blank, and bytes that are no character as U+FFFD. In a file with line feeds as line ends, a
-- carriage return at the end of a line is kept: the server knows CRLF.

local M = {}

--- U+FFFD.
M.REPLACEMENT = '\239\191\189'

--- Byte sequences of two, three and four bytes that are one character.
local CHARACTERS = {
  '[\194-\223][\128-\191]',
  '\224[\160-\191][\128-\191]',
  '[\225-\236\238\239][\128-\191][\128-\191]',
  '\237[\128-\159][\128-\191]',
  '\240[\144-\191][\128-\191][\128-\191]',
  '[\241-\243][\128-\191][\128-\191][\128-\191]',
  '\244[\128-\143][\128-\191][\128-\191]',
}

---@param text string
---@return boolean
local function is_utf8(text)
  if not text:find('[\128-\255]') then
    return true
  end
  for _, character in ipairs(CHARACTERS) do
    text = text:gsub(character, ' ')
  end
  return not text:find('[\128-\255]')
end

--- Converts a line of a buffer for the server.
---@param line string
---@return string
local function readable_line(line)
  line = line:gsub('\r', ' ')
  if is_utf8(line) then
    return line
  end
  local parts, starts = {}, vim.str_utf_pos(M.for_vim(line))
  for i, start in ipairs(starts) do
    local character = line:sub(start, (starts[i + 1] or #line + 1) - 1)
    parts[i] = is_utf8(character) and character or M.REPLACEMENT:rep(M.units(character))
  end
  return table.concat(parts)
end

local ENDS = { unix = '\n', dos = '\r\n', mac = '\r' }

--- Converts a whole buffer for the server.
---@param buffer integer
---@return string text
---@return boolean is_plain Whether Neovim would have sent the same.
local function readable_buffer(buffer)
  local options = vim.bo[buffer]
  local ending = ENDS[options.fileformat]
  local lines, is_plain = vim.api.nvim_buf_get_lines(buffer, 0, -1, false), true
  for number, line in ipairs(lines) do
    local is_crlf = options.fileformat == 'unix'
      and line:sub(-1) == '\r'
      and (number < #lines or options.endofline)
    lines[number] = is_crlf and readable_line(line:sub(1, -2)) .. '\r' or readable_line(line)
    is_plain = is_plain and not is_crlf and lines[number] == line
  end
  return table.concat(lines, ending) .. (options.endofline and ending or ''), is_plain
end

--- Returns whether the server reads text that Neovim built from lines or parts of lines unchanged.
---@param text string
---@param format string The buffer's 'fileformat'.
---@return boolean
local function is_plain(text, format)
  if format == 'mac' then
    -- Line ends and carriage returns within a line are the same byte.
    return false
  end
  local lines = format == 'dos' and text:gsub('\r\n', '\n') or text
  return not lines:find('\r', 1, true) and is_utf8(text)
end

--- Buffers whose changes are sent as the whole text, because the server would read something in it
--- differently.
---@type table<integer, true>
local whole = {}

--- Converts the texts in the parameters of a message to what the server can read.
---@param method string
---@param params any
---@return any
function M.readable(method, params)
  local opened = method == 'textDocument/didOpen' and params.textDocument
  if not opened and method ~= 'textDocument/didChange' then
    return params
  end
  local buffer = vim.uri_to_bufnr(params.textDocument.uri)
  local format = vim.bo[buffer].fileformat
  if opened then
    whole[buffer] = nil
  end
  for _, change in ipairs(opened and { opened } or params.contentChanges) do
    whole[buffer] = whole[buffer] or not is_plain(change.text, format) or nil
  end
  if whole[buffer] then
    local text, is_the_same = readable_buffer(buffer)
    whole[buffer] = format == 'mac' or not is_the_same or nil
    if opened then
      opened.text = text
    else
      params.contentChanges = { { text = text } }
    end
  end
  return params
end

--- Converts a line of a buffer for Vim's functions, which represent a NUL as a line feed and take
--- no string with a NUL.
---@param line string
---@return string
function M.for_vim(line)
  return (line:gsub('%z', '\n'))
end

--- Returns the length in UTF-16 units of a buffer's line, or of part of one.
---
---@param line string
---@return integer
function M.units(line)
  return vim.fn.strutf16len(M.for_vim(line))
end

return M
