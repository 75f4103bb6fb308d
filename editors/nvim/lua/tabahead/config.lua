-- The options: defaults, and the user's changes.

local M = {}

---@class tabahead.Options
---@field cmd? string[] The server and its arguments. Default: `tabahead lsp`, from the PATH or
--- `~/.cargo/bin`.
---@field auto? boolean Whether to ask while typing. Default: true. If false, only the key `suggest`
--- asks.
---@field keys? tabahead.Keys|false Keys in insert mode; false for none.
---@field settings? table<string, any> The server's own settings, as listed in its README.

---@class tabahead.Keys A key without anything to do does what it did before. False: no key.
---@field accept? string|false
---@field accept_word? string|false
---@field accept_line? string|false
---@field next? string|false
---@field previous? string|false
---@field dismiss? string|false
---@field suggest? string|false

---@class tabahead.Config
local defaults = {
  ---@type string[]?
  cmd = nil,
  auto = true,
  ---@type tabahead.Keys
  keys = {
    accept = '<Tab>',
    accept_word = '<C-Right>',
    accept_line = '<M-End>',
    next = '<M-]>',
    previous = '<M-[>',
    dismiss = '<C-]>',
    suggest = '<M-\\>',
  },
  ---@type table<string, any>
  settings = vim.empty_dict(),
}

---@type tabahead.Config
M.options = vim.deepcopy(defaults)

---@param name string
---@param value any
---@param expected type[]
local function check(name, value, expected)
  if value ~= nil and not vim.list_contains(expected, type(value)) then
    local kinds = table.concat(expected, ' or ')
    error(('tabahead: option "%s" must be a %s, not %s'):format(name, kinds, vim.inspect(value)), 0)
  end
end

---@param known string[]
---@param given table<string, any>
---@param prefix string
local function check_names(known, given, prefix)
  for name in pairs(given) do
    if not vim.list_contains(known, name) then
      table.sort(known)
      local all = table.concat(known, ', ')
      error(('tabahead: there is no option "%s%s"; there are %s'):format(prefix, name, all), 0)
    end
  end
end

--- Applies options on top of the defaults; earlier calls have no effect any more.
---@param given tabahead.Options
function M.change(given)
  check_names({ 'cmd', 'auto', 'keys', 'settings' }, given, '')
  check('cmd', given.cmd, { 'table' })
  check('auto', given.auto, { 'boolean' })
  check('keys', given.keys, { 'table', 'boolean' })
  check('settings', given.settings, { 'table' })
  local keys = given.keys
  if keys == false then
    keys = {}
    for action in pairs(defaults.keys) do
      keys[action] = false
    end
  elseif type(keys) == 'table' then
    check_names(vim.tbl_keys(defaults.keys), keys, 'keys.')
    for action, key in pairs(keys) do
      check('keys.' .. action, key, { 'string', 'boolean' })
    end
  else
    keys = nil
  end
  M.options = vim.tbl_deep_extend('force', defaults, given, { keys = keys })
end

return M
