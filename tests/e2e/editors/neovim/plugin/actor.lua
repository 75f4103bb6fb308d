-- A user's actions on the plug-in, and checks of what is then on the screen. Used by all scenarios.

local terminal = require('terminal')
local test = require('harness')
local lua, input, expect, wait = test.lua, test.input, test.expect, test.wait

local M = {}

M.folder = vim.env.FOLDER

--- All frames since the start.
---@type Frame[]
M.frames = {}

--- Returns the number of the next frame, once everything drawn so far has been read.
---@return integer
function M.next_frame()
  M.catch_up()
  return #M.frames + 1
end

--- Starts Neovim with the plug-in and attaches a screen to it.
function M.start()
  test.start(vim.env.INIT, {})
  M.frames, M.catch_up = terminal.attach(lua('return vim.v.servername'))
end

--- Runs a scenario, which uses files of its own. `ONLY` may name the only one to run.
---@param name string
---@param try fun()
function M.scenario(name, try)
  if vim.env.ONLY == nil or vim.env.ONLY == name then
    try()
  end
end

--- Returns the id of the running client, or nil if there is none. Each started server has its own.
---@return integer?
function M.server()
  local id = lua([[
    local client = vim.lsp.get_clients({ bufnr = 0, name = 'tabahead' })[1]
    return client and client.initialized and client.id or 0
  ]])
  return id ~= 0 and id or nil
end

function M.ghost()
  return test.ghost('tabahead')
end

--- Returns the number of extmarks that draw ghost text, in buffers named `name` or in all buffers.
---@param name? string
---@return integer
function M.marks(name)
  return lua(
    [[
    local namespace, count = vim.api.nvim_get_namespaces()['tabahead'], 0
    for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
      if ... == nil or vim.fs.basename(vim.api.nvim_buf_get_name(buffer)) == ... then
        count = count + #vim.api.nvim_buf_get_extmarks(buffer, namespace, 0, -1, {})
      end
    end
    return count
  ]],
    name
  )
end

---@return string
function M.mode()
  return lua('return vim.api.nvim_get_mode().mode')
end

function M.is_attached()
  return lua([[
    local clients = vim.lsp.get_clients({ bufnr = 0, name = 'tabahead' })
    return #clients == 1 and clients[1].initialized == true
  ]])
end

--- Opens a new file with these lines and starts inserting at the end of the last one.
---@param name string
---@param lines string[]
---@param ending? string
---@param how? string How to read it, as options of `:edit`.
---@return string text Text of the buffer.
function M.open(name, lines, ending, how)
  input('<Esc><Esc>')
  local path = M.folder .. '/' .. name
  local text = table.concat(lines, ending or '\n') .. (ending or '\n')
  local file = assert(io.open(path, 'wb'))
  file:write(text)
  file:close()
  lua('vim.cmd(...)', ('edit %s %s'):format(how or '', path))
  wait('the server to follow ' .. name, M.is_attached)
  input('G$a')
  wait('insert mode', function()
    return lua('return vim.api.nvim_get_mode().mode') == 'i'
  end)
  return test.buffer()
end

--- Types `text`, waits until it has arrived, and until the server has nothing left to compute.
---@param text string
function M.type_text(text)
  local row, column = unpack(test.cursor())
  input(test.typed(text))
  wait('"' .. text .. '" to be typed', function()
    local now = test.cursor()
    return now[1] ~= row or now[2] == column + #text
  end)
  test.settle()
end

--- Waits for ghost text and returns it once the server has nothing more to add.
---@return string
function M.shown()
  wait('ghost text', function()
    return M.ghost() ~= ''
  end)
  test.settle()
  return M.ghost()
end

--- Returns what a separate process suggests at the cursor.
---@return string text
---@return integer covered Number of bytes after the cursor that it replaces.
function M.fresh()
  local row, column = unpack(test.cursor())
  local line = lua('return vim.api.nvim_get_current_line()')
  local name = vim.fn.fnamemodify(lua('return vim.api.nvim_buf_get_name(0)'), ':t')
  local copy = M.folder .. '/fresh/' .. name
  vim.fn.mkdir(M.folder .. '/fresh', 'p')
  local file = assert(io.open(copy, 'wb'))
  local ending = ({ unix = '\n', dos = '\r\n', mac = '\r' })[lua('return vim.bo.fileformat')]
  file:write((test.buffer():gsub('\n', ending)) .. ending)
  file:close()
  local before = line:sub(1, column):gsub('%z', '\n')
  local place = ('%s:%d:%d'):format(copy, row + 1, vim.fn.strchars(before) + 1)
  local answer = vim.system({ vim.env.TABAHEAD, 'complete', place, '--json', '--no-speculation' }):wait()
  if answer.code ~= 0 then
    test.fail('tabahead complete: ' .. answer.stderr)
  end
  local suggestion = vim.json.decode(answer.stdout).chain[1]
  if suggestion.text == vim.NIL then
    return '', 0
  end
  local from, to = unpack(suggestion.range)
  return (suggestion.text:gsub('\r\n?', '\n')), to - from
end

--- Returns the cursor's line as it reads on the screen, with ghost text, and the lines drawn below
--- it.
---@return string
function M.drawn()
  return lua([[
    local row = vim.api.nvim_win_get_cursor(0)[1] - 1
    local line = vim.api.nvim_get_current_line()
    local namespace = vim.api.nvim_get_namespaces()['tabahead']
    local marks = vim.api.nvim_buf_get_extmarks(0, namespace, { row, 0 }, { row, -1 }, { details = true })
    local parts, from, below = {}, 1, {}
    for _, mark in ipairs(marks) do
      local details = mark[4]
      table.insert(parts, line:sub(from, mark[3]) .. details.virt_text[1][1])
      from = details.virt_text_pos == 'overlay' and #line + 1 or mark[3] + 1
      for _, chunks in ipairs(details.virt_lines or {}) do table.insert(below, '\n' .. chunks[1][1]) end
    end
    return table.concat(parts) .. line:sub(from) .. table.concat(below)
  ]])
end

--- Fails unless `text` is on the screen, or its end if it is longer than the screen.
---@param what string
---@param text string
function M.expect_screen(what, text)
  local lines = lua(
    [[return vim.tbl_map(function(line)
      return (line:gsub('\t', (' '):rep(vim.o.tabstop)):gsub('%s+$', ''))
    end, ...)]],
    vim.split(text, '\n')
  )
  local rows = vim.split(test.screen(), '\n')
  expect(what, table.concat(rows, '\n'), table.concat(vim.list_slice(lines, #lines - #rows + 1), '\n'))
end

--- Returns the buffer's text with `text` at the cursor, in place of the `covered` bytes there.
---@param text string
---@param covered? integer
---@return string
function M.with(text, covered)
  local row, column = unpack(test.cursor())
  local lines = vim.split(test.buffer(), '\n')
  local line = lines[row + 1]
  lines[row + 1] = line:sub(1, column) .. text .. line:sub(column + 1 + (covered or 0))
  return table.concat(lines, '\n')
end

--- Presses Tab on the ghost text: the buffer must then be what it was before, with the accepted
--- text.
---@param covered? integer Number of bytes after the cursor that it replaces.
---@param whole? string Text that is inserted, if less or more than that is drawn.
---@return string text Accepted text.
function M.accept(covered, whole)
  local text = whole or M.ghost()
  local expected = M.with(text, covered)
  input('<Tab>')
  wait('the accepted text', function()
    return test.buffer() == expected
  end)
  test.settle()
  return text
end

--- Like `accept`, in the only window: the screen must show the buffer and the next suggestion.
---@param covered? integer
---@param whole? string
---@return string text
function M.tab(covered, whole)
  local text = M.accept(covered, whole)
  M.expect_screen('the screen after Tab', M.with(M.ghost()))
  return text
end

--- Fails unless the cursor's row was `row` in every frame since `first`.
---@param first integer
---@param row string
---@return integer count
function M.expect_frames(first, row)
  M.catch_up()
  local frames = M.frames
  for i = first, #frames do
    expect('a frame', frames[i].rows[frames[i].row + 1], row)
  end
  return #frames - first + 1
end

--- Copies the built-in model to `path` under another name. Returns `path`.
---@param path string
---@return string path
function M.copy_model(path)
  local mini =
    assert(io.open(vim.fs.normalize(vim.env.PLUGIN .. '/../../crates/tabahead-mini/mini.gguf'), 'rb'))
  local bytes = mini:read('a')
  mini:close()
  local at = bytes:find('tabahead-mini', 1, true)
  local file = assert(io.open(path, 'wb'))
  file:write(bytes:sub(1, at - 1) .. 'tabahead-copy' .. bytes:sub(at + #'tabahead-copy'))
  file:close()
  return path
end

function M.outcomes()
  return test.settle().outcomes
end

return M
