-- The keys in insert mode. Each does what it did before if tabahead has nothing to do.
--
-- A mapping expands to other keys, which Neovim processes before anything that was typed after it:
-- a scheduled accept would come after the letters of a fast typist.

local config = require('tabahead.config')

local M = {}

---@class tabahead.Mapped
---@field key string
---@field before? table<string, any> The previous mapping, as `maparg()` returns it.

---@type table<string, tabahead.Mapped> Mapped keys by action.
local mapped = {}

--- Names of keys that no user can type: for what a key did before, and for closing the menu.
local BEFORE = '<Plug>(tabahead-before-%s)'
local CLOSE_MENU = '<Plug>(tabahead-close-menu)'

--- Returns the keys that a key press expands to: a call of the action, or what the key did before.
---@param action string
---@return string
local function press(action)
  if not require('tabahead.suggestion').can(action) then
    return BEFORE:format(action)
  end
  local command = ("<Cmd>lua require('tabahead').%s()<CR>"):format(action)
  local ends_menu = vim.startswith(action, 'accept') and vim.fn.pumvisible() == 1
  return ends_menu and CLOSE_MENU .. command or command
end

---@param action string
---@return string
local function description(action)
  return 'tabahead: ' .. action
end

--- Returns the global mapping of a key.
---@param key string
---@return table<string, any>?
local function mapping(key)
  local found = vim.fn.maparg(key, 'i', false, true)
  return not vim.tbl_isempty(found) and found.buffer == 0 and found or nil
end

--- Maps a key, and keeps what it did before under another name.
---@param action string
---@param key string
local function take(action, key)
  local before, name = mapping(key), BEFORE:format(action)
  if before then
    local kept = vim.tbl_extend('force', before, { lhs = name, lhsraw = vim.keycode(name) })
    kept.lhsrawalt = nil
    vim.fn.mapset('i', false, kept)
  else
    vim.keymap.set('i', name, key)
  end
  vim.keymap.set('i', key, function()
    return press(action)
  end, { expr = true, remap = true, desc = description(action) })
  mapped[action] = { key = key, before = before }
end

--- Restores what a key did before.
---@param action string
---@param this tabahead.Mapped
local function give_back(action, this)
  local now = mapping(this.key)
  -- A mapping made by others since then stays.
  if now and now.desc == description(action) then
    vim.keymap.del('i', this.key)
    if this.before then
      vim.fn.mapset('i', false, this.before)
    end
  end
end

--- Maps the keys of the options, instead of those that were mapped before.
function M.map()
  for action, this in pairs(mapped) do
    give_back(action, this)
  end
  mapped = {}
  vim.keymap.set('i', CLOSE_MENU, '<C-y>')
  for action, key in pairs(config.options.keys) do
    if key then
      take(action, key)
    end
  end
end

--- Returns the mapped keys by action, and whether they are still ours.
---@return { action: string, key: string, ours: boolean }[]
function M.state()
  local all = {}
  for action, this in vim.spairs(mapped) do
    local now = mapping(this.key)
    local ours = now ~= nil and now.desc == description(action)
    all[#all + 1] = { action = action, key = this.key, ours = ours }
  end
  return all
end

return M
