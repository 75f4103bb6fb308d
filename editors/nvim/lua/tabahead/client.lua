-- The server: its program, the buffers it follows, and the messages to it. Implements
-- docs/protocol.md.

local config = require('tabahead.config')

local M = {}

local NAME = 'tabahead'

--- Maximum number of ends within `PERIOD` seconds; a server that ends more often is not restarted.
local MOST_ENDS = 4
local PERIOD = 3 * 60

--- Milliseconds after which a server that does not end is killed.
local PATIENCE = 2000

--- Size of the largest text in bytes for which the server makes suggestions.
local LARGEST = 4 * 1024 * 1024

---@class tabahead.Status
---@field kind 'Normal'|'Inactive'|'Error'
---@field busy boolean
---@field message string
---@field percent? integer How much of a loading model has been read.

---@class tabahead.Item
---@field insertText string
---@field range lsp.Range
---@field command lsp.Command

--- The state of the server; there is one per editor.
local server = {
  ---@type integer? Client id of the server that was started last.
  id = nil,
  ---@type vim.lsp.Client? Its client, once it has answered.
  client = nil,
  ---@type integer[] Times at which it ended unexpectedly.
  ends = {},
  ---@type string? Why there is no server and none is started.
  failure = nil,
  ---@type table<integer, string> Identities of the buffers that it follows.
  follows = {},
  ---@type fun()? What the caller of a restart does once the server has answered.
  restarted = nil,
}

--- Calls a function of a client; Neovim 0.11 turned these functions into methods.
---@param client vim.lsp.Client
---@param name 'request'|'notify'|'cancel_request'|'stop'|'is_stopped'
---@param ... any
---@return any, any
local function of(client, name, ...)
  ---@type function
  local method = client[name]
  if vim.fn.has('nvim-0.11') == 1 then
    return method(client, ...)
  end
  return method(...)
end

--- Calls a function of the server's client, if there is one.
---@param name 'request'|'notify'|'cancel_request'
---@param ... any
---@return any, any
local function call(name, ...)
  if server.client then
    return of(server.client, name, ...)
  end
end

--- Reports a failure to the user, once. A message that does not fit beside the ruler in 80 columns
--- would wait for a key.
---@param failure string
local function fail(failure)
  if failure ~= server.failure then
    vim.notify(require('tabahead.status').fitted('tabahead: ' .. failure), vim.log.levels.ERROR)
  end
  server.failure, server.restarted = failure, nil
  require('tabahead.status').changed()
end

--- Returns the server's program and arguments; nil and the reason if there is none.
---@return string[]? command
---@return string? reason
function M.command()
  local command = config.options.cmd
  if command then
    if vim.fn.executable(command[1] or '') == 1 then
      return command
    end
    return nil, ('no program "%s", which "cmd" names'):format(command[1] or '')
  end
  for _, program in ipairs({ 'tabahead', vim.fs.normalize('~/.cargo/bin/tabahead') }) do
    if vim.fn.executable(program) == 1 then
      return { program, 'lsp' }
    end
  end
  return nil, 'no program "tabahead" on the PATH; see `:checkhealth tabahead`'
end

--- Returns whether suggestions are wanted in a buffer. Other buffers are not sent to the server.
---@param buffer integer
---@return boolean
function M.is_wanted(buffer)
  local here = vim.b[buffer].tabahead_enabled
  if here == nil then
    here = vim.g.tabahead_enabled
  end
  return here ~= false and here ~= 0
end

--- Returns whether a buffer gets suggestions in its current state.
---@param buffer integer
---@return boolean
function M.is_served(buffer)
  return M.is_attached(buffer) and M.is_wanted(buffer) and vim.bo[buffer].modifiable
end

--- Returns why a buffer is not a file that is sent to the server; nil if it is one. All buffers
--- without a name share one address, so the server could confuse them. Texts that the server would
--- refuse for their size are not copied to it.
---@param buffer integer
---@return string?
function M.why_no_file(buffer)
  if not vim.api.nvim_buf_is_loaded(buffer) or vim.bo[buffer].buftype ~= '' then
    return 'this is not a file'
  elseif not vim.bo[buffer].modifiable then
    return 'this file cannot be modified'
  elseif vim.api.nvim_buf_get_name(buffer) == '' then
    return 'this buffer has no name; `:write NAME`'
  elseif vim.api.nvim_buf_get_offset(buffer, vim.api.nvim_buf_line_count(buffer)) > LARGEST then
    return 'the file is too large'
  end
end

--- Returns the properties with which a buffer is opened; if they change, it is another document.
---@param buffer integer
---@return string
local function identity(buffer)
  local options = vim.bo[buffer]
  return options.filetype .. ' ' .. options.fileformat .. ' ' .. vim.api.nvim_buf_get_name(buffer)
end

---@return lsp.ClientCapabilities
local function capabilities()
  local all = vim.lsp.protocol.make_client_capabilities()
  all.general.positionEncodings = { 'utf-16' }
  all.textDocument.inlineCompletion = { dynamicRegistration = false }
  return all
end

--- Handles an unexpected end of the server.
local function ended()
  server.id, server.client = nil, nil
  require('tabahead.suggestion').forget_all()
  local now = vim.uv.now() / 1000
  server.ends = vim.tbl_filter(function(time)
    return now - time < PERIOD
  end, server.ends)
  table.insert(server.ends, now)
  if #server.ends > MOST_ENDS then
    fail('the server keeps ending; see `:Tabahead log`')
    return
  end
  require('tabahead.status').restarted()
  require('tabahead.status').changed()
  M.attach_all()
end

--- Returns a function that starts the program. An unexpected end is handled here and must not show
--- a message to a user who is typing; Neovim would show one, so it receives exit code 0. Texts in
--- notifications are converted to what the server can read.
---@param command string[]
---@return fun(dispatchers: vim.lsp.rpc.Dispatchers): vim.lsp.rpc.PublicClient
local function start(command)
  return function(dispatchers)
    local on_exit = dispatchers.on_exit
    dispatchers.on_exit = function()
      on_exit(0, 0)
    end
    local connection = vim.lsp.rpc.start(command, dispatchers)
    local notify = connection.notify
    connection.notify = function(method, params)
      return notify(method, require('tabahead.encoding').readable(method, params))
    end
    return connection
  end
end

--- Lets the server follow a buffer; starts it if it does not run.
---@param buffer integer
function M.attach(buffer)
  if server.failure or M.why_no_file(buffer) or not M.is_wanted(buffer) then
    return
  end
  local command, reason = M.command()
  if not command then
    fail(reason or 'there is no server')
    return
  end
  local id = vim.lsp.start({
    name = NAME,
    cmd = start(command),
    capabilities = capabilities(),
    init_options = config.options.settings,
    handlers = {
      -- A server that is being stopped may still send some.
      ['tabahead/status'] = function(_, status, context)
        if context.client_id == server.id then
          require('tabahead.status').changed(status)
        end
      end,
      ['window/showMessage'] = function(_, message, context)
        if context.client_id == server.id then
          require('tabahead.status').report(message.message)
        end
      end,
    },
    on_init = function(client)
      server.client = client
      -- Neovim's own inline completion would draw everything twice.
      if vim.lsp.inline_completion then
        vim.lsp.inline_completion.enable(false, { client_id = client.id })
      end
      require('tabahead.status').changed()
      local restarted = server.restarted
      server.restarted = nil
      if restarted then
        restarted()
      end
    end,
    on_attach = function(_, attached)
      server.follows[attached] = identity(attached)
      if attached == vim.api.nvim_get_current_buf() then
        M.focus(attached)
        require('tabahead.suggestion').follow(attached)
      end
    end,
    on_exit = function(_, _, client_id)
      vim.schedule(function()
        if client_id == server.id then
          ended()
        end
      end)
    end,
  }, {
    bufnr = buffer,
    reuse_client = function(client)
      return client.id == server.id and not of(client, 'is_stopped')
    end,
  })
  if not id then
    fail('the server did not start; see `:Tabahead log`')
  end
  server.id = id
end

--- Opens a buffer again at the server if its type, name or line end has changed.
---@param buffer integer
function M.reattach(buffer)
  if M.is_attached(buffer) then
    if server.follows[buffer] == identity(buffer) then
      return
    end
    M.detach(buffer)
  end
  M.attach(buffer)
end

--- Makes the server stop following a buffer.
---@param buffer integer
function M.detach(buffer)
  server.follows[buffer] = nil
  vim.lsp.buf_detach_client(buffer, server.client.id)
end

--- Lets the server follow every buffer that it may.
function M.attach_all()
  for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
    M.attach(buffer)
  end
end

--- Applies a change of `tabahead_enabled`: buffers where suggestions are off are not followed any
--- more.
function M.follow_wishes()
  for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
    if M.is_attached(buffer) and not M.is_wanted(buffer) then
      M.detach(buffer)
    end
  end
  require('tabahead.suggestion').look_around()
  M.attach_all()
  M.focus(vim.api.nvim_get_current_buf())
  require('tabahead.status').changed()
end

--- Returns whether the server follows a buffer now.
---@param buffer integer
---@return boolean
function M.is_attached(buffer)
  return server.client ~= nil and vim.lsp.buf_is_attached(buffer, server.client.id)
end

--- Handles that Neovim ends, and the server with it: this is no reason to start another one.
function M.leave()
  server.id = nil
end

--- Stops the server and starts it again, with the current options. Returns whether one was started;
--- a failure was reported.
---@param restarted fun() Called once the new server has answered.
---@return boolean
function M.restart(restarted)
  require('tabahead.suggestion').forget_all()
  local old = server.client
  server.id, server.client, server.ends, server.failure = nil, nil, {}, nil
  server.restarted = restarted
  require('tabahead.status').restarted()
  if old then
    of(old, 'stop')
    vim.defer_fn(function()
      if not of(old, 'is_stopped') then
        of(old, 'stop', true)
      end
    end, PATIENCE)
  end
  M.attach_all()
  if not server.id then
    server.restarted = nil
  end
  return server.id ~= nil or server.failure ~= nil
end

--- Returns the server, and the reason if there is none.
---@return vim.lsp.Client? client
---@return string? failure
function M.state()
  return server.client, server.failure
end

---@param buffer integer
---@return { uri: string }
local function document(buffer)
  return { uri = vim.uri_from_bufnr(buffer) }
end

--- Returns the position of the current window's cursor, as the protocol counts.
---@return lsp.Position
local function position()
  local row, column = unpack(vim.api.nvim_win_get_cursor(0))
  local before = vim.api.nvim_get_current_line():sub(1, column)
  return { line = row - 1, character = require('tabahead.encoding').units(before) }
end

--- Requests suggestions at the cursor. Returns the request's id; nil if there is no server.
---@param buffer integer
---@param invoked boolean Whether the user asked.
---@param answered fun(items: tabahead.Item[]?) Receives nil if another request replaced this one.
---@return integer?
function M.request(buffer, invoked, answered)
  local params = {
    textDocument = document(buffer),
    position = position(),
    context = { triggerKind = invoked and 1 or 2 },
  }
  local sent, id = call('request', 'textDocument/inlineCompletion', params, function(failed, result)
    answered(not failed and result and (result.items or result) or nil)
  end, buffer)
  return sent and id or nil
end

--- Cancels a request.
---@param id integer
function M.cancel(id)
  call('cancel_request', id)
end

--- Reports that an item was accepted as a whole.
---@param item tabahead.Item
---@param buffer integer
function M.accepted(item, buffer)
  local params = { command = item.command.command, arguments = item.command.arguments }
  call('request', 'workspace/executeCommand', params, function() end, buffer)
end

--- Reports that the first `length` UTF-16 code units of an item's text were accepted.
---@param item tabahead.Item
---@param length integer
function M.accepted_part(item, length)
  local params = { item = { command = item.command }, acceptedLength = length }
  call('notify', 'textDocument/didPartiallyAcceptCompletion', params)
end

--- Reports that another item than the first is on the screen.
---@param item tabahead.Item
function M.showed(item)
  call('notify', 'textDocument/didShowCompletion', { item = { command = item.command } })
end

--- Reports that the suggestion was dismissed.
---@param buffer integer
function M.dismissed(buffer)
  call('notify', 'tabahead/didDismiss', { textDocument = document(buffer) })
end

--- Reports the cursor of the current window, if it is in this buffer.
---@param buffer integer
function M.moved(buffer)
  if buffer == vim.api.nvim_get_current_buf() and M.is_attached(buffer) then
    call('notify', 'tabahead/didMoveCursor', { textDocument = document(buffer), position = position() })
  end
end

--- Reports that the user is in a buffer.
---@param buffer integer
function M.focus(buffer)
  local params = vim.empty_dict()
  if M.is_attached(buffer) then
    params = { textDocument = document(buffer) }
  end
  call('notify', 'textDocument/didFocus', params)
  M.moved(buffer)
end

--- Replaces the settings that the server was started with.
---@param settings table<string, any>
function M.configure(settings)
  call('notify', 'workspace/didChangeConfiguration', { settings = { tabahead = settings } })
end

--- Requests the server's figures; `answered` receives nil and the reason if it does not answer.
---@param answered fun(stats: table?, reason: string?)
function M.stats(answered)
  local silent = 'the server does not answer; `:checkhealth tabahead` may show why'
  local sent = call('request', 'tabahead/stats', vim.NIL, function(failed, result)
    answered(not failed and result or nil, silent)
  end)
  if not sent then
    local _, failure = M.state()
    local absent = failure or 'no file was opened yet, so no server runs'
    answered(nil, server.id and 'the server is starting; ask again' or absent)
  end
end

return M
