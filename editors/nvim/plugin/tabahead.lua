-- The part that is loaded at startup: events, keys and the command. The rest is loaded when the
-- first file is opened.

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

-- A buffer's name and type may be set after it is read. Users disable suggestions in handlers of
-- the same events, so the buffer is attached when these events are over.
on({ 'BufReadPost', 'BufNewFile', 'BufFilePost', 'FileType' }, function(args)
  local is_another = args.event == 'BufFilePost' or args.event == 'FileType'
  vim.schedule(function()
    if vim.api.nvim_buf_is_valid(args.buf) then
      require('tabahead.client')[is_another and 'reattach' or 'attach'](args.buf)
    end
  end)
end)

-- From the next change on, Neovim sends lines with the line ends of the option.
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

--- Returns a module if it is loaded; a module that is not loaded has nothing to do.
---@param name string
---@return table?
local function known(name)
  return package.loaded['tabahead.' .. name]
end

--- Draws ghost text if the user is inserting, and removes it otherwise.
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

-- `InsertLeave` is not triggered by `<C-c>`, and `InsertEnter` precedes the mode.
on({ 'ModeChanged' }, function()
  local is_entered = vim.v.event.new_mode:sub(1, 1) == 'i'
  if is_entered and vim.v.event.old_mode:sub(1, 1) == 'i' then
    return
  end
  -- A mapping with `<C-r>=` leaves the command line before the user sees it.
  if is_entered or vim.v.event.new_mode:sub(1, 1) == 'c' then
    vim.schedule(settle)
  else
    settle()
  end
end)

-- The window or buffer can change without leaving insert mode. A visit elsewhere that is over
-- before Neovim waits for a key does not count, hence `schedule`.
on({ 'WinEnter', 'BufEnter', 'LspDetach' }, function()
  vim.schedule(settle)
end)

-- Some windows open without events. At this point Neovim has nothing left to do but wait for a key.
on({ 'SafeState' }, function()
  local suggestion = known('suggestion')
  if suggestion then
    suggestion.look_around()
    -- A sign or a long line number makes the text narrower.
    suggestion.fit()
  end
end)

on({ 'WinResized', 'VimResized' }, function()
  local suggestion = known('suggestion')
  if suggestion then
    suggestion.fit()
  end
end)

on({ 'BufEnter' }, function(args)
  local client = known('client')
  if client then
    client.focus(args.buf)
  end
end)

-- The text at the cursor is read ahead: where the cursor moved to, and where the text changed
-- without being typed.
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
  require('tabahead.command').run(args.args)
end, {
  nargs = '*',
  desc = 'tabahead: enable, disable, status, stats, log, model, restart, suggest',
  complete = function(lead, line, cursor)
    return require('tabahead.command').complete(lead, line:sub(1, cursor))
  end,
})

-- Loaded by hand, or by a package manager that loads lazily: files may be open already.
if vim.v.vim_did_enter == 1 then
  vim.schedule(function()
    require('tabahead.client').attach_all()
  end)
end
