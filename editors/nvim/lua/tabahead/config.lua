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

--- What was wrong with the options of the last call of `change`, one line each.
---@type string[]
M.problems = {}

---@param text string
---@param ... any
local function problem(text, ...)
  table.insert(M.problems, 'tabahead: ' .. text:format(...))
end

--- Returns what can be used of `given`: known names with values of their kinds. The rest becomes
--- problems.
---@param given table<string, any>
---@param kinds table<string, type[]>
---@param prefix string
---@return table<string, any>
local function usable(given, kinds, prefix)
  local kept = {}
  for name, value in pairs(given) do
    local expected = kinds[name]
    if not expected then
      local known = vim.tbl_keys(kinds)
      table.sort(known)
      problem('there is no option "%s%s"; there are %s', prefix, name, table.concat(known, ', '))
    elseif not vim.list_contains(expected, type(value)) then
      local wanted = table.concat(expected, ' or ')
      problem('option "%s%s" must be a %s, not a %s', prefix, name, wanted, type(value))
    else
      kept[name] = value
    end
  end
  return kept
end

local OPTIONS = {
  cmd = { 'table' },
  auto = { 'boolean' },
  keys = { 'table', 'boolean' },
  settings = { 'table' },
}

--- Applies options on top of the defaults; earlier calls have no effect any more. A wrong option
--- keeps its default, and `problems` has a line about it.
---@param given tabahead.Options
function M.change(given)
  M.problems = {}
  if type(given) ~= 'table' then
    problem('the options must be a table, not a %s', type(given))
    given = {}
  end
  local options = usable(given, OPTIONS, '')
  local kinds = vim.tbl_map(function()
    return { 'string', 'boolean' }
  end, defaults.keys)
  if options.keys == false then
    options.keys = vim.tbl_map(function()
      return false
    end, defaults.keys)
  elseif type(options.keys) == 'table' then
    options.keys = usable(options.keys, kinds, 'keys.')
  else
    options.keys = nil
  end
  M.options = vim.tbl_deep_extend('force', defaults, options)
end

return M
