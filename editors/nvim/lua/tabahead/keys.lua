-- The keys in insert mode. Each does what it did before where tabahead has nothing to do.
--
-- A key answers with other keys, which are taken before anything that was typed behind it: an accept that waited
-- for its turn would come behind the letters of a fast typist.

local config = require('tabahead.config')

local M = {}

---@type table<string, string> Our keys by action, as they are mapped now.
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

--- Gives what a key does now another name.
---@param key string
---@param name string
local function keep(key, name)
  local before = vim.fn.maparg(key, 'i', false, true)
  if vim.tbl_isempty(before) or before.buffer == 1 then
    vim.keymap.set('i', name, key)
    return
  end
  before.lhs, before.lhsraw, before.lhsrawalt = name, vim.keycode(name), nil
  vim.fn.mapset('i', false, before)
end

--- Gives a key back to what it did before.
---@param action string
---@param key string
local function give_back(action, key)
  local now = vim.fn.maparg(key, 'i', false, true)
  -- Somebody who mapped it since then keeps it.
  if now.desc ~= 'tabahead: ' .. action then
    return
  end
  vim.keymap.del('i', key)
  local before = vim.fn.maparg(BEFORE:format(action), 'i', false, true)
  if before.rhs ~= key then
    before.lhs, before.lhsraw, before.lhsrawalt = key, vim.keycode(key), nil
    vim.fn.mapset('i', false, before)
  end
end

--- Maps the keys of the options, instead of those that were mapped before.
function M.map()
  for action, key in pairs(mapped) do
    give_back(action, key)
  end
  mapped = {}
  vim.keymap.set('i', CLOSE_MENU, '<C-y>')
  for action, key in pairs(config.options.keys) do
    if key then
      keep(key, BEFORE:format(action))
      vim.keymap.set('i', key, function()
        return press(action)
      end, { expr = true, remap = true, desc = 'tabahead: ' .. action })
      mapped[action] = key
    end
  end
end

--- The keys that are mapped, by action, and whether they are still ours.
---@return { action: string, key: string, ours: boolean }[]
function M.state()
  local all = {}
  for action, key in vim.spairs(mapped) do
    local ours = vim.fn.maparg(key, 'i', false, true).desc == 'tabahead: ' .. action
    all[#all + 1] = { action = action, key = key, ours = ours }
  end
  return all
end

return M
