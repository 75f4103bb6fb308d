-- `:Tabahead`.

local client = require('tabahead.client')
local config = require('tabahead.config')
local suggestion = require('tabahead.suggestion')

local M = {}

--- Shows a message on one line.
---@param line string
local function show(line)
  vim.api.nvim_echo({ { require('tabahead.status').fitted('tabahead: ' .. line) } }, true, {})
end

--- Reports an error on one line.
---@param message string
local function complain(message)
  vim.notify(require('tabahead.status').fitted(message), vim.log.levels.ERROR)
end

--- Shows lines in a window at the bottom, whole; `q` closes it.
---@param name string
---@param lines string[]
local function open(name, lines)
  local address = 'tabahead://' .. name
  local known = vim.fn.bufnr('^' .. address .. '$')
  local buffer = known ~= -1 and known or vim.api.nvim_create_buf(false, true)
  vim.bo[buffer].modifiable = true
  vim.api.nvim_buf_set_lines(buffer, 0, -1, true, lines)
  vim.bo[buffer].modifiable = false
  local window = vim.fn.bufwinid(buffer)
  if window ~= -1 then
    vim.api.nvim_set_current_win(window)
  else
    vim.bo[buffer].bufhidden = 'wipe'
    vim.cmd(('botright %dsplit'):format(#lines))
    vim.api.nvim_win_set_buf(0, buffer)
    if known == -1 then
      vim.api.nvim_buf_set_name(buffer, address)
    end
    vim.wo[0][0].wrap = true
    vim.wo[0][0].linebreak = true
    vim.wo[0][0].winfixheight = true
    vim.keymap.set('n', 'q', '<C-w>c', { buffer = buffer })
  end
  vim.api.nvim_win_set_height(0, vim.api.nvim_win_text_height(0, {}).all)
end

--- Characters that are escaped in an argument. In a path of Windows, a backslash is none of them.
local SPECIAL = vim.fn.has('win32') == 1 and '[ \t]' or '[\\ \t]'

---@param text string
---@return string
local function escaped(text)
  return (text:gsub(SPECIAL, '\\%0'))
end

---@param text string
---@return string
local function unescaped(text)
  return (text:gsub('\\(' .. SPECIAL .. ')', '%1'))
end

--- Hash at the end of a model's id, which distinguishes files of the same name.
local HASH = '%-%x%x%x%x%x%x%x%x%x%x%x%x%x%x%x%x$'

---@param stats table
---@return string
local function model_of(stats)
  return (stats.model.id or stats.model.state):gsub(HASH, '')
end

---@param enable boolean
---@param where? string
local function switch(enable, where)
  if where ~= nil and where ~= 'buffer' then
    error(('tabahead: "%s" is no place; there is `buffer`, and nothing for all'):format(where), 0)
  end
  if where == 'buffer' then
    vim.b.tabahead_enabled = enable
  else
    vim.g.tabahead_enabled = enable
    vim.b.tabahead_enabled = nil
  end
  client.follow_wishes()
  show((enable and 'enabled' or 'disabled') .. (where and ' in this buffer' or ''))
end

---@class tabahead.Command
---@field run fun(argument?: string) Receives the rest of the line.
---@field arguments? fun(lead: string): string[] What the rest of the line may be; without it, there
--- must be no rest.

---@type table<string, tabahead.Command>
local commands = {}

local function places()
  return { 'buffer' }
end

commands.enable = {
  arguments = places,
  run = function(where)
    switch(true, where)
  end,
}

commands.disable = {
  arguments = places,
  run = function(where)
    switch(false, where)
  end,
}

commands.status = {
  run = function()
    local state, reason = require('tabahead.status').state()
    client.stats(function(stats)
      -- What is thought about is the more interesting: the model is being loaded.
      local is_loading = state == 'thinking' and reason ~= ''
      local line = is_loading and reason or state .. (reason ~= '' and ': ' .. reason or '')
      local whole = line
      if stats then
        local model = stats.model.id and model_of(stats) .. ', ' or ''
        whole = ('%s (%sversion %s)'):format(line, model, stats.version)
      end
      local lines = { whole }
      local message = (require('tabahead.status').message or reason):gsub('^tabahead: ', '')
      if message ~= reason then
        table.insert(lines, message)
      end
      local function has_room(text)
        return #lines == 1 and vim.api.nvim_strwidth('tabahead: ' .. text) <= vim.v.echospace
      end
      -- A window is for what is wrong: for the model's name alone it would be in the way.
      if has_room(whole) or has_room(line) then
        show(has_room(whole) and whole or line)
      else
        open('status', lines)
      end
    end)
  end,
}

--- Returns the server's figures as readable lines.
---@param stats table
---@return string[]
local function sentences(stats)
  local hits, outcomes = stats.hits, stats.outcomes
  local known = hits.exact + hits.typed_through + hits.speculated
  local all = known + hits.joined + stats.misses
  local speed = tonumber(stats.tokens.per_second)
  local function line(name, text, ...)
    return ('%-20s'):format(name) .. text:format(...)
  end
  return {
    line('model', '%s', model_of(stats)),
    line('speed', speed and '%d tokens/s' or 'not measured yet', speed),
    line('answered', '%d, %d %% at once', all, all == 0 and 0 or math.floor(100 * known / all + 0.5)),
    line('  computed ahead', '%d', hits.speculated),
    line('  typed along', '%d', hits.typed_through),
    line('  asked before', '%d', hits.exact),
    line('waiting saved', '%.1f s', stats.saved_ms / 1000),
    line(
      'accepted',
      '%d whole, %d lines, %d words',
      outcomes.accepted_all,
      outcomes.accepted_line,
      outcomes.accepted_word
    ),
    line('dismissed', '%d', outcomes.dismissed),
  }
end

commands.stats = {
  run = function()
    client.stats(function(stats, reason)
      if not stats then
        show(reason)
        return
      end
      open('stats', sentences(stats))
    end)
  end,
}

commands.log = {
  run = function()
    local log = vim.lsp.log or require('vim.lsp.log')
    vim.cmd.tabedit({ args = { log.get_filename() }, magic = { file = false } })
    vim.cmd.normal({ 'G', bang = true })
  end,
}

--- Reports the model that answers once the requested one is loaded. If it is refused, the server
--- itself reports the reason, and a later restart begins with the settings before.
---@param before table? The server's figures before the switch.
---@param settings table The settings before the switch.
local function announce_model(before, settings)
  local is_loading = false
  vim.api.nvim_create_autocmd('User', {
    group = vim.api.nvim_create_augroup('tabahead.model', {}),
    pattern = 'TabaheadStatus',
    callback = function()
      local was_loading = is_loading
      is_loading = require('tabahead.status').is_loading()
      if is_loading or not was_loading then
        return false
      end
      local is_refused = require('tabahead.status').message ~= nil
      if is_refused then
        config.options.settings = settings
        return true
      end
      client.stats(function(stats)
        if stats and not (before and before.model.id == stats.model.id) then
          show('the model is ' .. model_of(stats))
        end
      end)
      return true
    end,
  })
end

commands.model = {
  arguments = function(lead)
    local found = vim.startswith('mini', lead) and { 'mini' } or {}
    for _, path in ipairs(vim.fn.getcompletion(lead, 'file')) do
      if path:match('[/\\]$') or path:lower():match('%.gguf$') then
        table.insert(found, path)
      end
    end
    return found
  end,
  run = function(model)
    if not model then
      client.stats(function(stats, reason)
        if stats and stats.model.id then
          show('the model is ' .. model_of(stats))
        else
          local _, why = require('tabahead.status').state()
          show(stats and ('no model is loaded' .. (why ~= '' and ': ' .. why or '')) or reason)
        end
      end)
      return
    end
    -- A relative path is relative to Neovim's folder, as in `:edit`; the server gets the full path.
    local path = model == 'mini' and model or vim.fn.fnamemodify(vim.fs.normalize(unescaped(model)), ':p')
    local settings = vim.tbl_extend('force', config.options.settings, { model = path })
    client.stats(function(before)
      -- What was wrong with an earlier choice is over.
      require('tabahead.status').message = nil
      announce_model(before, config.options.settings)
      config.options.settings = settings
      -- All settings are sent again, because they replace the previous ones.
      client.configure(settings)
    end)
  end,
}

commands.restart = {
  run = function()
    local is_started = client.restart(function()
      client.stats(function(stats, reason)
        show(stats and 'restarted, version ' .. stats.version or reason)
      end)
    end)
    if not is_started then
      show('no file is open; the next one starts the server')
    end
  end,
}

commands.suggest = {
  run = function()
    suggestion.suggest()
  end,
}

--- Runs `:Tabahead` with what follows it in the line.
---@param line string
function M.run(line)
  local name, rest = line:match('^%s*(%S*)%s*(.*)$')
  name = name ~= '' and name or 'status'
  -- An escaped blank at the end belongs to the argument.
  rest = rest:gsub('([^\\])%s+$', '%1')
  local command = commands[name]
  if not command then
    local known = table.concat(M.complete('', 'Tabahead '), ', ')
    vim.notify(('tabahead: there is no command "%s"; there are %s'):format(name, known), vim.log.levels.ERROR)
    return
  end
  if rest ~= '' and not command.arguments then
    complain(('tabahead: `%s` takes no argument, such as "%s"'):format(name, rest))
    return
  end
  local ran, message = pcall(command.run, rest ~= '' and rest or nil)
  if not ran then
    complain(tostring(message))
  end
end

--- Completes a command line that begins with `:Tabahead`.
---@param lead string The last word so far: what follows the last blank that is not escaped.
---@param line string
---@return string[]
function M.complete(lead, line)
  local name, rest = line:match('Tabahead%s+(%S+)%s+(.*)$')
  local found = {}
  if not name then
    found = vim.tbl_keys(commands)
    table.sort(found)
  elseif commands[name] and commands[name].arguments then
    -- An argument is the rest of the line, of which Neovim replaces the last word.
    local before = unescaped(rest:sub(1, #rest - #lead))
    for _, argument in ipairs(commands[name].arguments(unescaped(rest))) do
      if vim.startswith(argument, before) then
        table.insert(found, escaped(argument:sub(#before + 1)))
      end
    end
  end
  return vim.tbl_filter(function(word)
    return vim.startswith(word, lead)
  end, found)
end

return M
