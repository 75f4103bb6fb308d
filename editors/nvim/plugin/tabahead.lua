-- What stands in an editor that has not needed tabahead yet: events, keys and the command. The rest is read when
-- the first file is opened.

if vim.g.loaded_tabahead then
  return
end
vim.g.loaded_tabahead = true

if vim.fn.has('nvim-0.10') == 0 then
  vim.notify('tabahead needs Neovim 0.10 or newer', vim.log.levels.ERROR)
  return
end

local group = vim.api.nvim_create_augroup('tabahead', {})

---@param events string[]
---@param callback fun(args: vim.api.keyset.create_autocmd.callback_args)
---@param pattern? string
local function on(events, callback, pattern)
  vim.api.nvim_create_autocmd(events, { group = group, callback = callback, pattern = pattern })
end

-- Name and type may come later than the buffer. Whoever wants no suggestions there says so in the same events, so
-- the buffer waits until they are over.
on({ 'BufReadPost', 'BufNewFile', 'BufFilePost', 'FileType' }, function(args)
  local is_another = args.event == 'BufFilePost' or args.event == 'FileType'
  vim.schedule(function()
    if vim.api.nvim_buf_is_valid(args.buf) then
      require('tabahead.client')[is_another and 'reattach' or 'attach'](args.buf)
    end
  end)
end)

-- Neovim sends lines with the ends that the option says, from the next change on.
on({ 'OptionSet' }, function()
  local buffer, client = vim.api.nvim_get_current_buf(), package.loaded['tabahead.client']
  vim.schedule(function()
    if client and vim.api.nvim_buf_is_valid(buffer) then
      client.reattach(buffer)
    end
  end)
end, 'fileformat')

on({ 'TextChangedI', 'TextChangedP', 'CursorMovedI', 'CompleteChanged' }, function(args)
  require('tabahead.suggestion').follow(args.buf)
end)

--- A module that was needed before; whoever was not needed has nothing to do.
---@param name string
---@return table?
local function known(name)
  return package.loaded['tabahead.' .. name]
end

--- Ghost text goes where nobody inserts any more, and comes where somebody does.
local function settle()
  if vim.api.nvim_get_mode().mode:sub(1, 1) == 'i' then
    require('tabahead.suggestion').follow(vim.api.nvim_get_current_buf())
    return
  end
  local suggestion = known('suggestion')
  if suggestion then
    suggestion.look_around()
  end
end

-- `InsertLeave` does not come for `<C-c>`, and `InsertEnter` comes before the mode.
on({ 'ModeChanged' }, function()
  local is_entered = vim.v.event.new_mode:sub(1, 1) == 'i'
  if is_entered and vim.v.event.old_mode:sub(1, 1) == 'i' then
    return
  end
  -- A mapping with `<C-r>=` is over before anybody sees the command line.
  if is_entered or vim.v.event.new_mode:sub(1, 1) == 'c' then
    vim.schedule(settle)
  else
    settle()
  end
end)

-- Another window or buffer, without the end of insert mode. Who is back before Neovim waits for a key was not away.
on({ 'WinEnter', 'BufEnter', 'LspDetach' }, function()
  vim.schedule(settle)
end)

-- Some windows are opened without events. Nothing is left to do for Neovim now but to wait for a key.
on({ 'SafeState' }, function()
  local suggestion = known('suggestion')
  if suggestion then
    suggestion.look_around()
  end
end)

on({ 'BufEnter' }, function(args)
  local client = known('client')
  if client then
    client.focus(args.buf)
  end
end)

-- What is at the cursor is read ahead: where it was moved to, and where the text changed without being typed.
on({ 'CursorMoved', 'TextChanged' }, function(args)
  local client = known('client')
  if client then
    client.moved(args.buf)
  end
end)

on({ 'RecordingEnter', 'RecordingLeave' }, function(args)
  require('tabahead.macro')[args.event == 'RecordingEnter' and 'start' or 'stop']()
end)

on({ 'ColorScheme' }, function()
  local ghost = known('ghost')
  if ghost then
    ghost.define_highlights()
  end
end)

on({ 'VimLeavePre' }, function()
  local client = known('client')
  if client then
    client.leave()
  end
end)

require('tabahead.keys').map()

vim.api.nvim_create_user_command('Tabahead', function(args)
  require('tabahead.command').run(args.fargs)
end, {
  nargs = '*',
  desc = 'tabahead: enable, disable, status, stats, log, model, restart, suggest',
  complete = function(lead, line, cursor)
    return require('tabahead.command').complete(lead, line:sub(1, cursor))
  end,
})

-- Loaded by hand, or by a package manager that waits: files may be open already.
if vim.v.vim_did_enter == 1 then
  vim.schedule(function()
    require('tabahead.client').attach_all()
  end)
end
