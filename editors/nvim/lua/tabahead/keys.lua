-- The keys in insert mode. Each does what it did before where tabahead has nothing to do.
--
-- A key answers with other keys, which are taken before anything that was typed behind it: an accept that waited
-- for its turn would come behind the letters of a fast typist.

local config = require('tabahead.config')

local M = {}

---@class tabahead.Mapped
---@field key string
---@field before? table<string, any> What it was mapped to before, as `maparg()` gives it.

---@type table<string, tabahead.Mapped> By action.
local mapped = {}

--- Prefixes of keys that no user can type: what a key did before, what it does now, and closing the menu.
local BEFORE = '<Plug>(tabahead-before-%s)'
local CLOSE_MENU = '<Plug>(tabahead-close-menu)'

--- What answers a key press: the function in `tabahead` behind it, or what the key did before.
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

--- The global mapping of a key.
---@param key string
---@return table<string, any>?
local function mapping(key)
  local found = vim.fn.maparg(key, 'i', false, true)
  return not vim.tbl_isempty(found) and found.buffer == 0 and found or nil
end

--- Maps a key, and gives what it did before another name.
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

--- Gives a key back to what it did before.
---@param action string
---@param this tabahead.Mapped
local function give_back(action, this)
  local now = mapping(this.key)
  -- Somebody who mapped it since then keeps it.
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

--- The keys that are mapped, by action, and whether they are still ours.
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
