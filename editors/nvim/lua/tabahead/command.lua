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
---@field run fun(argument?: string)
---@field arguments? fun(lead: string): string[]

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
      show(stats and ('%s (%s, %s)'):format(line, model_of(stats), 'version ' .. stats.version) or line)
      local message = require('tabahead.status').message
      if message and reason ~= message:gsub('^tabahead: ', '') then
        vim.api.nvim_echo({ { message, 'ErrorMsg' } }, true, {})
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
      local lines = sentences(stats)
      local open = vim.fn.bufnr('^tabahead://stats$')
      local buffer = open ~= -1 and open or vim.api.nvim_create_buf(false, true)
      vim.bo[buffer].modifiable = true
      vim.api.nvim_buf_set_lines(buffer, 0, -1, true, lines)
      vim.bo[buffer].modifiable = false
      local window = vim.fn.bufwinid(buffer)
      if window ~= -1 then
        vim.api.nvim_set_current_win(window)
        return
      end
      vim.bo[buffer].bufhidden = 'wipe'
      vim.cmd(('botright %dsplit'):format(#lines))
      vim.api.nvim_win_set_buf(0, buffer)
      if open == -1 then
        vim.api.nvim_buf_set_name(buffer, 'tabahead://stats')
      end
      vim.wo[0][0].winfixheight = true
      vim.keymap.set('n', 'q', '<C-w>c', { buffer = buffer })
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
    -- A command's arguments end at a blank, so a blank within a path is escaped.
    for _, path in ipairs(vim.fn.getcompletion(lead:gsub('\\([\\ \t])', '%1'), 'file')) do
      if path:match('[/\\]$') or path:lower():match('%.gguf$') then
        table.insert(found, (path:gsub('[\\ \t]', '\\%0')))
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
    local path = model == 'mini' and model or vim.fn.fnamemodify(vim.fs.normalize(model), ':p')
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

--- Runs `:Tabahead` with these arguments.
---@param arguments string[]
function M.run(arguments)
  local name = arguments[1] or 'status'
  local command = commands[name]
  if not command then
    local known = table.concat(M.complete('', 'Tabahead '), ', ')
    vim.notify(('tabahead: there is no command "%s"; there are %s'):format(name, known), vim.log.levels.ERROR)
    return
  end
  local ran, message = pcall(command.run, arguments[2])
  if not ran then
    vim.notify(tostring(message), vim.log.levels.ERROR)
  end
end

--- Completes a command line that begins with `:Tabahead`.
---@param lead string The last word so far, with its blanks escaped.
---@param line string
---@return string[]
function M.complete(lead, line)
  local name, rest = line:match('Tabahead%s+(%S+)%s+(.*)$')
  local found = {}
  if not name then
    found = vim.tbl_keys(commands)
    table.sort(found)
  elseif rest == lead and commands[name] and commands[name].arguments then
    found = commands[name].arguments(lead)
  end
  return vim.tbl_filter(function(word)
    return vim.startswith(word, lead)
  end, found)
end

return M
