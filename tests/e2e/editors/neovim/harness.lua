-- Shared by all drivers: starts a Neovim under test, sends it keys, reads its screen and the
-- server's figures.
--
-- A driver is run by `nvim -l` and talks to the Neovim under test over RPC. It prints what it saw
-- in lines that begin with "seen: "; any failed expectation ends it with code 1.

local M = {}

--- Time limit of each wait, in milliseconds: test machines are slow and busy.
local PATIENCE = tonumber(vim.env.PATIENCE) or 120000

local channel

--- Starts the Neovim under test.
---@param init string Path of the init file.
---@param files string[]
function M.start(init, files)
  local command = { vim.env.NVIM_UNDER_TEST, '-u', init, '-i', 'NONE', '-n', '--embed', '--headless' }
  channel = vim.fn.jobstart(vim.list_extend(command, files), { rpc = true })
  -- Neovim answers before it has started completely, for example while a package is installed.
  M.wait('Neovim to start', function()
    return M.lua('return vim.v.vim_did_enter') == 1
  end)
end

---@param code integer
function M.finish(code)
  pcall(vim.rpcnotify, channel, 'nvim_command', 'qall!')
  vim.fn.jobwait({ channel }, 5000)
  os.exit(code)
end

---@param message string
function M.seen(message)
  io.stdout:write('seen: ' .. message .. '\n')
end

--- Runs code in the Neovim under test.
---@param code string
---@return any
function M.lua(code, ...)
  return vim.rpcrequest(channel, 'nvim_exec_lua', code, { ... })
end

---@param message string
function M.fail(message)
  local _, screen = pcall(M.screen)
  local _, messages = pcall(M.lua, [[return vim.fn.execute('messages')]])
  io.stderr:write(('FAILED: %s\nscreen:\n%s\nmessages:%s\n'):format(message, screen, messages))
  M.finish(1)
end

---@param what string
---@param condition fun(): boolean?
function M.wait(what, condition)
  if not vim.wait(PATIENCE, condition, 10) then
    M.fail('waited in vain for ' .. what)
  end
end

---@param what string
---@param got any
---@param expected any
function M.expect(what, got, expected)
  if not vim.deep_equal(got, expected) then
    M.fail(('%s:\n%s\ninstead of:\n%s'):format(what, vim.inspect(got), vim.inspect(expected)))
  end
end

---@param keys string
function M.input(keys)
  vim.rpcrequest(channel, 'nvim_input', keys)
end

--- Returns the keys that type `text`.
---@param text string
---@return string
function M.typed(text)
  return (text:gsub('<', '<lt>'):gsub('\n', '<CR>'))
end

---@return string
function M.buffer()
  return table.concat(M.lua('return vim.api.nvim_buf_get_lines(0, 0, -1, true)'), '\n')
end

--- Returns the cursor's row and column, both from 0, the column in bytes.
---@return integer[]
function M.cursor()
  return M.lua([[
    local row, column = unpack(vim.api.nvim_win_get_cursor(0))
    return { row - 1, column }
  ]])
end

--- Returns the screen as it is drawn, row by row, without trailing blanks, empty rows at the end
--- and tildes.
---@return string
function M.screen()
  return M.lua([[
    vim.cmd.redraw()
    local rows = {}
    for row = 1, vim.o.lines - 2 do
      local cells = {}
      for column = 1, vim.o.columns do
        cells[#cells + 1] = vim.fn.screenstring(row, column)
      end
      local line = table.concat(cells):gsub('%s+$', '')
      if line ~= '~' then rows[#rows + 1] = line end
    end
    return (table.concat(rows, '\n'):gsub('\n+$', ''))
  ]])
end

--- Returns the ghost text: the texts of the extmarks that draw it.
---@param namespace string
---@return string
function M.ghost(namespace)
  return M.lua(
    [[
    local namespace = vim.api.nvim_get_namespaces()[...]
    if not namespace then return '' end
    local parts = {}
    for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, { details = true })) do
      for _, chunk in ipairs(mark[4].virt_text or {}) do parts[#parts + 1] = chunk[1] end
      for _, line in ipairs(mark[4].virt_lines or {}) do
        parts[#parts + 1] = '\n'
        for _, chunk in ipairs(line) do parts[#parts + 1] = chunk[1] end
      end
    end
    return table.concat(parts)
  ]],
    namespace
  )
end

--- Returns the server's figures, or nil if there is no server or it does not answer in time.
---@return table?
function M.stats()
  local stats = M.lua([[
    local client = vim.lsp.get_clients({ name = 'tabahead' })[1]
    if not client then return nil end
    local buffer = vim.api.nvim_get_current_buf()
    local answer
    if vim.fn.has('nvim-0.11') == 1 then
      answer = client:request_sync('tabahead/stats', vim.NIL, 60000, buffer)
    else
      answer = client.request_sync('tabahead/stats', vim.NIL, 60000, buffer)
    end
    return answer and answer.result
  ]])
  -- RPC delivers a nil result as `vim.NIL`.
  return stats ~= vim.NIL and stats or nil
end

--- Waits until the server computes nothing any more, for an answer or ahead. Returns its figures.
---@return table
function M.settle()
  local last
  M.wait('the server to finish', function()
    last = M.stats()
    return last and last.generations.running == 0
  end)
  return last
end

return M
