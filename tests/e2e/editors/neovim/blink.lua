-- Drives the plug-in together with a real completion plug-in, blink.cmp, which maps Tab in each
-- buffer. See harness.lua.

package.path = vim.env.SCRIPTS .. '/?.lua;' .. package.path
local actor = require('plugin.actor')
local samples = require('samples')
local test = require('harness')
local lua, input, expect, wait, seen = test.lua, test.input, test.expect, test.wait, test.seen

local function has_menu()
  return lua([[return require('blink.cmp').is_menu_visible() == true]])
end

--- Types `text` letter by letter and waits for the menu: blink.cmp asks its sources between keys.
---@param text string
local function type_for_menu(text)
  for letter in text:gmatch('.') do
    actor.type_text(letter)
  end
  wait("blink.cmp's menu", has_menu)
end

actor.start()

-- blink.cmp uses Tab for snippets and otherwise falls through to our mapping: with the menu open,
-- Tab accepts ghost text.
lua([[require('blink.cmp').setup({ keymap = { preset = 'default' }, fuzzy = { implementation = 'lua' } })]])
local before = actor.open('blink.rs', samples.rust)
type_for_menu('acc')
before = before .. 'acc'
local text = actor.shown()
expect('the ghost text', text, actor.fresh())
before = before .. actor.accept()
wait('the menu to close', function()
  return not has_menu()
end)
expect('the buffer', test.buffer(), before)
actor.shown()
before = before .. actor.accept()
expect('the buffer', test.buffer(), before)
seen('with its menu open, Tab accepts ghost text: ' .. vim.inspect(text))

-- Without ghost text, Tab falls through and inserts a tab.
actor.open('nothing.txt', { 'zzz' })
wait('no ghost text', function()
  test.settle()
  return actor.ghost() == ''
end)
input('<Tab>')
wait('a tab', function()
  return test.buffer() == 'zzz\t'
end)
seen('without menu and ghost text, Tab is a tab')

-- An item of blink.cmp is accepted with its own key, and ghost text continues after it.
before = actor.open('choice.rs', samples.rust)
type_for_menu('acc')
input('<C-n><C-y>')
wait('its item', function()
  return test.buffer() == before .. 'account'
end)
expect('the ghost text', actor.shown(), actor.fresh())
before = before .. 'account' .. actor.accept()
expect('the buffer', test.buffer(), before)
seen('its item was chosen with its keys, and ghost text continued')

test.finish(0)
