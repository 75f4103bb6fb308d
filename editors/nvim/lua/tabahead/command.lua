-- `:Tabahead`.

local client = require('tabahead.client')
local config = require('tabahead.config')
local suggestion = require('tabahead.suggestion')

local M = {}

--- Says something that fits on a line: a longer message would wait for a key.
---@param line string
local function say(line)
  vim.api.nvim_echo({ { 'tabahead: ' .. line } }, true, {})
end

--- The end of a model's id, which tells files of one name apart.
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
  say((enable and 'enabled' or 'disabled') .. (where and ' in this buffer' or ''))
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
      local line = state .. (reason ~= '' and ': ' .. reason or '')
      say(stats and ('%s (%s, %s)'):format(line, model_of(stats), 'version ' .. stats.version) or line)
    end)
  end,
}

--- The server's figures as people read them.
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
    client.stats(function(stats)
      if not stats then
        say('the server does not answer; `:checkhealth tabahead` may say why')
        return
      end
      local lines = sentences(stats)
      local buffer = vim.api.nvim_create_buf(false, true)
      vim.api.nvim_buf_set_lines(buffer, 0, -1, true, lines)
      vim.bo[buffer].modifiable = false
      vim.bo[buffer].bufhidden = 'wipe'
      vim.cmd(('botright %dsplit'):format(#lines))
      vim.api.nvim_win_set_buf(0, buffer)
      vim.api.nvim_buf_set_name(buffer, 'tabahead://stats')
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

commands.model = {
  arguments = function(lead)
    local paths = vim.fn.getcompletion(lead, 'file')
    return vim.startswith('mini', lead) and vim.list_extend({ 'mini' }, paths) or paths
  end,
  run = function(model)
    if model then
      -- All settings are sent again, because they replace those that were sent before.
      local settings = vim.tbl_extend('force', config.options.settings, { model = vim.fn.expand(model) })
      config.options.settings = settings
      client.configure(settings)
      say('another model, until Neovim ends')
      return
    end
    client.stats(function(stats)
      say(stats and 'the model is ' .. model_of(stats) or 'the server does not answer')
    end)
  end,
}

commands.restart = {
  run = function()
    client.restart()
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
    local known = table.concat(M.complete('Tabahead '), ', ')
    vim.notify(('tabahead: there is no command "%s"; there are %s'):format(name, known), vim.log.levels.ERROR)
    return
  end
  local ran, message = pcall(command.run, arguments[2])
  if not ran then
    vim.notify(tostring(message), vim.log.levels.ERROR)
  end
end

--- What may stand at the end of a line that begins with `:Tabahead`.
---@param line string
---@return string[]
function M.complete(line)
  local words = vim.split(line, '%s+')
  local lead = words[#words]
  local found = {}
  if #words == 2 then
    found = vim.tbl_keys(commands)
    table.sort(found)
  elseif #words == 3 and commands[words[2]] and commands[words[2]].arguments then
    found = commands[words[2]].arguments(lead)
  end
  return vim.tbl_filter(function(word)
    return vim.startswith(word, lead)
  end, found)
end

return M
