-- The server: which program it is, which buffers it follows, and what is said to it. docs/protocol.md, in Lua.

local config = require('tabahead.config')

local M = {}

local NAME = 'tabahead'

--- A server that ends more often than this in three minutes is left alone.
local MOST_ENDS = 4
local PERIOD = 3 * 60

--- A server that does not end itself is killed after so many milliseconds.
local PATIENCE = 2000

--- Bytes of a text beyond which the server suggests nothing.
local LARGEST = 4 * 1024 * 1024

---@class tabahead.Status
---@field kind 'Normal'|'Inactive'|'Error'
---@field busy boolean
---@field message string
---@field percent? integer How much of a model is read.

---@class tabahead.Item
---@field insertText string
---@field range lsp.Range
---@field command lsp.Command

--- What is known of the server; one per editor.
local server = {
  ---@type integer? The one that was started last, of Neovim's clients.
  id = nil,
  ---@type vim.lsp.Client? The same, once it has answered.
  client = nil,
  ---@type integer[] When it ended by itself.
  ends = {},
  ---@type string? Why there is none and none is started.
  failure = nil,
  ---@type table<integer, string> What buffers it follows, by name and type.
  follows = {},
}

--- Neovim 0.11 made functions of a client into methods.
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

--- The same of the server, if there is one.
---@param name 'request'|'notify'|'cancel_request'
---@param ... any
---@return any, any
local function call(name, ...)
  if server.client then
    return of(server.client, name, ...)
  end
end

--- Something is wrong that the user must know, once. A message that does not fit beside the
--- ruler of 80 columns would wait for a key.
---@param failure string
local function fail(failure)
  if failure ~= server.failure then
    vim.notify('tabahead: ' .. failure, vim.log.levels.ERROR)
  end
  server.failure = failure
  require('tabahead.status').changed()
end

--- The server's program and arguments; nil and the reason where there is none.
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

--- Whether suggestions are wanted in a buffer. A buffer where they are not is not sent to the server.
---@param buffer integer
---@return boolean
function M.is_wanted(buffer)
  local here = vim.b[buffer].tabahead_enabled
  if here == nil then
    here = vim.g.tabahead_enabled
  end
  return here ~= false and here ~= 0
end

--- Whether suggestions are for a buffer as it is now.
---@param buffer integer
---@return boolean
function M.is_served(buffer)
  return M.is_attached(buffer) and M.is_wanted(buffer) and vim.bo[buffer].modifiable
end

--- Whether a buffer is a file's. Buffers without a name all have one address, so one could be taken for another.
--- What the server would refuse for its size is not copied in the first place.
---@param buffer integer
---@return boolean
local function is_file(buffer)
  return vim.api.nvim_buf_is_loaded(buffer)
    and vim.bo[buffer].buftype == ''
    and vim.bo[buffer].modifiable
    and vim.api.nvim_buf_get_name(buffer) ~= ''
    and vim.api.nvim_buf_get_offset(buffer, vim.api.nvim_buf_line_count(buffer)) <= LARGEST
end

--- What a buffer is opened with: with another one it is another document.
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

--- The server ended, and not because we said so.
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
  require('tabahead.status').changed()
  M.attach_all()
end

--- Starts the program. An end that we make up for ourselves is no message to the user, who types: Neovim
--- would say it, so it is told that all is well. What is said of texts is said as the server can read it.
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

--- Lets the server follow a buffer; starts it where it does not run.
---@param buffer integer
function M.attach(buffer)
  if server.failure or not is_file(buffer) or not M.is_wanted(buffer) then
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
      ['tabahead/status'] = function(_, status)
        require('tabahead.status').changed(status)
      end,
      ['window/showMessage'] = function(_, message)
        require('tabahead.status').tell(message.message)
      end,
    },
    on_init = function(client)
      server.client = client
      -- Neovim's own inline completion would draw everything twice.
      if vim.lsp.inline_completion then
        vim.lsp.inline_completion.enable(false, { client_id = client.id })
      end
      require('tabahead.status').changed()
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

--- Lets the server know a buffer by another type, name or line end, if it has one.
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

--- The server follows a buffer no longer.
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

--- Somebody switched suggestions on or off: a buffer where they are not wanted is not followed any more.
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

--- Whether the server follows a buffer now.
---@param buffer integer
---@return boolean
function M.is_attached(buffer)
  return server.client ~= nil and vim.lsp.buf_is_attached(buffer, server.client.id)
end

--- Neovim ends, and with it the server: that is no end to start another one for.
function M.leave()
  server.id = nil
end

--- Ends the server and starts it anew, with the options as they are now.
function M.restart()
  require('tabahead.suggestion').forget_all()
  local old = server.client
  server.id, server.client, server.ends, server.failure = nil, nil, {}, nil
  if old then
    of(old, 'stop')
    vim.defer_fn(function()
      if not of(old, 'is_stopped') then
        of(old, 'stop', true)
      end
    end, PATIENCE)
  end
  M.attach_all()
end

--- The server, and why there is none.
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

--- Where the cursor of the current window is, as the protocol counts.
---@return lsp.Position
local function position()
  local row, column = unpack(vim.api.nvim_win_get_cursor(0))
  local before = vim.api.nvim_get_current_line():sub(1, column)
  return { line = row - 1, character = require('tabahead.encoding').units(before) }
end

--- Asks for suggestions at the cursor. Gives the request's number; nil where nobody can be asked.
---@param buffer integer
---@param invoked boolean Whether somebody asked.
---@param answered fun(items: tabahead.Item[]?) Nil where another request took its place.
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

--- Takes a request back.
---@param id integer
function M.cancel(id)
  call('cancel_request', id)
end

--- All of an item stands in the text now.
---@param item tabahead.Item
---@param buffer integer
function M.accepted(item, buffer)
  local params = { command = item.command.command, arguments = item.command.arguments }
  call('request', 'workspace/executeCommand', params, function() end, buffer)
end

--- So many UTF-16 units of an item's text, from its start, stand in the text now.
---@param item tabahead.Item
---@param length integer
function M.accepted_part(item, length)
  local params = { item = { command = item.command }, acceptedLength = length }
  call('notify', 'textDocument/didPartiallyAcceptCompletion', params)
end

--- Another item than the first is on the screen.
---@param item tabahead.Item
function M.showed(item)
  call('notify', 'textDocument/didShowCompletion', { item = { command = item.command } })
end

--- What was shown was taken away.
---@param buffer integer
function M.dismissed(buffer)
  call('notify', 'tabahead/didDismiss', { textDocument = document(buffer) })
end

--- The cursor of the current window is elsewhere than it was, in this buffer.
---@param buffer integer
function M.moved(buffer)
  if buffer == vim.api.nvim_get_current_buf() and M.is_attached(buffer) then
    call('notify', 'tabahead/didMoveCursor', { textDocument = document(buffer), position = position() })
  end
end

--- The user is in a buffer.
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

--- The server's figures; nil where it does not answer, with the reason.
---@param answered fun(stats: table?, reason: string?)
function M.stats(answered)
  local silent = 'the server does not answer; `:checkhealth tabahead` may say why'
  local sent = call('request', 'tabahead/stats', vim.NIL, function(failed, result)
    answered(not failed and result or nil, silent)
  end)
  if not sent then
    answered(nil, server.id and 'the server is starting; ask again' or silent)
  end
end

return M
