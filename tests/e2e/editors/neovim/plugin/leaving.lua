-- Ghost text does not outlive the place it was made for: insert mode, the window, the buffer, the
-- user's wish to have it.

local actor = require('plugin.actor')
local samples = require('samples')
local test = require('harness')
local lua, input, expect, wait, seen = test.lua, test.input, test.expect, test.wait, test.seen

--- Restores the state from before a way to leave was tried.
local function come_back()
  -- Works in any mode, and while something waits for a key.
  input('<C-\\><C-n><C-\\><C-n>')
  wait('normal mode', function()
    return actor.mode():sub(1, 1) == 'n'
  end)
  lua([[
    vim.g.tabahead_enabled = nil
    for _, window in ipairs(vim.api.nvim_list_wins()) do
      if vim.api.nvim_win_get_config(window).relative ~= '' then vim.api.nvim_win_close(window, true) end
    end
    vim.cmd('silent! tabonly! | silent! only! | silent! %bwipeout!')
    vim.cmd('Tabahead enable')
  ]])
end

---@class Way
---@field name string
---@field keys? string Keys that the user types.
---@field run? string Code that something else runs, if the user types nothing.
---@field before? string Command that runs before inserting.
---@field mode string Mode afterwards.

---@type Way[]
local ways = {
  { name = '<Esc>', keys = '<Esc>', mode = 'n' },
  { name = '<C-c>', keys = '<C-c>', mode = 'n' },
  { name = '<C-\\><C-n>', keys = '<C-\\><C-n>', mode = 'n' },
  { name = '<C-o>', keys = '<C-o>', mode = 'niI' },
  { name = '<C-r>=', keys = '<C-r>=', mode = 'c' },
  { name = ':stopinsert', keys = '<Cmd>stopinsert<CR>', mode = 'n' },
  { name = ':wincmd w', keys = '<Cmd>wincmd w<CR>', before = 'vnew | wincmd p', mode = 'i' },
  {
    name = ':noautocmd wincmd w',
    keys = '<Cmd>noautocmd wincmd w<CR>',
    before = 'vnew | wincmd p',
    mode = 'i',
  },
  {
    name = 'a click',
    run = [[
      local window = vim.fn.win_getid(vim.fn.winnr('l'))
      local row, column = unpack(vim.api.nvim_win_get_position(window))
      vim.api.nvim_input_mouse('left', 'press', '', 0, row + 1, column + 3)
      vim.api.nvim_input_mouse('left', 'release', '', 0, row + 1, column + 3)
    ]],
    before = 'rightbelow vnew | wincmd p | set mouse=a',
    mode = 'i',
  },
  { name = ':new', keys = '<Cmd>new<CR>', mode = 'i' },
  { name = ':tabnew', keys = '<Cmd>tabnew<CR>', mode = 'i' },
  { name = ':edit', keys = '<Cmd>edit ' .. actor.folder .. '/nothing.txt<CR>', mode = 'i' },
  { name = ':enew', keys = '<Cmd>enew<CR>', mode = 'i' },
  { name = ':copen', keys = '<Cmd>copen<CR>', mode = 'i' },
  { name = ':help', keys = '<Cmd>help<CR>', mode = 'i' },
  { name = ':close', keys = '<Cmd>close<CR>', before = 'new | wincmd p', mode = 'i' },
  { name = ':bdelete', keys = '<Cmd>bdelete!<CR>', mode = 'i' },
  { name = ':terminal', keys = '<Cmd>terminal<CR>', mode = 't' },
  {
    name = 'a floating window',
    run = [[
      local buffer = vim.api.nvim_create_buf(false, true)
      local place = { relative = 'editor', row = 1, col = 40, width = 30, height = 3 }
      vim.api.nvim_open_win(buffer, true, place)
    ]],
    mode = 'i',
  },
  {
    name = 'a floating window without events',
    run = [[
      local buffer = vim.api.nvim_create_buf(false, true)
      local place = { relative = 'editor', row = 1, col = 40, width = 30, height = 3, noautocmd = true }
      vim.api.nvim_open_win(buffer, true, place)
    ]],
    mode = 'i',
  },
  { name = ':Tabahead disable', keys = '<Cmd>Tabahead disable<CR>', mode = 'i' },
  { name = ':Tabahead disable buffer', keys = '<Cmd>Tabahead disable buffer<CR>', mode = 'i' },
  { name = 'g:tabahead_enabled', keys = '<Cmd>let g:tabahead_enabled = v:false<CR>', mode = 'i' },
  { name = 'b:tabahead_enabled', keys = '<Cmd>let b:tabahead_enabled = v:false<CR>', mode = 'i' },
  { name = "'nomodifiable'", keys = '<Cmd>setlocal nomodifiable<CR>', mode = 'i' },
  {
    name = 'a client that is detached',
    run = [[
      local client = vim.lsp.get_clients({ name = 'tabahead' })[1]
      vim.lsp.buf_detach_client(0, client.id)
    ]],
    mode = 'i',
  },
}

-- Each way to leave, and what follows it: other keys, a late answer, Tab.
actor.scenario('left', function()
  for number, way in ipairs(ways) do
    come_back()
    local name = ('left%d.rs'):format(number)
    if way.before then
      input('<Esc><Esc>')
      lua('vim.cmd(...)', way.before)
    end
    local before = actor.open(name, samples.rust)
    actor.type_text('acc')
    local shown = vim.split(actor.shown(), '\n')[1]
    local buffer = lua('return vim.api.nvim_get_current_buf()')
    local first = actor.next_frame()
    if way.keys then
      input(way.keys)
    else
      lua(way.run)
    end
    wait(way.name .. ' to make the mode ' .. way.mode, function()
      return actor.mode() == way.mode
    end)
    wait('the ghost text to go by ' .. way.name, function()
      return actor.marks(name) == 0
    end)
    actor.catch_up()
    local last = actor.frames[#actor.frames]
    expect('frames since ' .. way.name, #actor.frames >= first, true)
    -- The same words also appear further up, as text of the buffer.
    local _, count = table.concat(last.rows, '\n'):gsub(vim.pesc('acc' .. shown), '')
    expect('rows like the ghost text after ' .. way.name, math.max(count, 1), 1)
    -- A newly entered file may have ghost text of its own.
    expect(
      'whether something is shown after ' .. way.name,
      lua([[return vim.api.nvim_get_current_buf() == ... and require('tabahead').is_shown()]], buffer),
      false
    )

    -- Nothing appears later, and Tab accepts nothing.
    if way.mode == 'i' and way.name ~= "'nomodifiable'" then
      input('<Tab>')
    end
    test.settle()
    expect('marks some time after ' .. way.name, actor.marks(name), 0)
    local text = lua(
      [[return vim.api.nvim_buf_is_loaded(...) and vim.api.nvim_buf_get_lines(..., 0, -1, true) or {}]],
      buffer
    )
    text = table.concat(text, '\n')
    if text ~= '' and vim.trim(text) ~= before .. 'acc' then
      test.fail(('after %s and Tab the text is\n%s'):format(way.name, text))
    end
  end
  come_back()
  seen(('ghost text went by each of %d ways to leave, and nothing came later'):format(#ways))
end)

-- An answer that arrives after the user has left is not shown.
actor.scenario('late', function()
  for number, keys in ipairs({ '<C-c>', '<Cmd>new<CR>', '<Cmd>Tabahead disable<CR>' }) do
    come_back()
    local name = ('late%d.rs'):format(number)
    actor.open(name, samples.rust)
    actor.shown()
    local pid = test.settle().pid
    vim.uv.kill(pid, 'sigstop')
    input('acc')
    wait('the letters', function()
      return vim.endswith(test.buffer(), 'acc')
    end)
    input(keys)
    wait('the ghost text to go', function()
      return actor.marks(name) == 0
    end)
    vim.uv.kill(pid, 'sigcont')
    test.settle()
    expect('marks after ' .. keys, actor.marks(), 0)
  end
  come_back()
  seen('an answer that comes after leaving is not drawn')
end)

-- After coming back, and in another window on the same buffer, there is ghost text for the cursor's
-- position.
actor.scenario('returned', function()
  come_back()
  local before = actor.open('returned.rs', samples.rust)
  actor.type_text('acc')
  local text = actor.shown()
  for _, keys in ipairs({ '<C-c>', '<Cmd>new<CR><Cmd>close<CR>', '<C-r>=1<C-u><CR>', '<C-o>:<CR>' }) do
    input(keys)
    if keys == '<C-c>' then
      wait('normal mode', function()
        return actor.mode():sub(1, 1) == 'n'
      end)
      input('a')
    end
    wait('insert mode after ' .. keys, function()
      return actor.mode() == 'i'
    end)
    expect('ghost text after ' .. keys, actor.shown(), text)
  end
  -- A mapping that uses `<C-r>=` does not count as leaving: the ghost text stays, in step with the
  -- text.
  lua([[vim.keymap.set('i', '<F5>', "<C-r>='" .. ... .. "'<CR>")]], text:sub(1, 2))
  local counted = actor.outcomes()
  input('<F5>')
  wait('what was mapped', function()
    return test.buffer() == before .. 'acc' .. text:sub(1, 2)
  end)
  test.settle()
  expect('ghost text after a mapping', actor.ghost(), text:sub(3))
  expect('dismissed by a mapping', actor.outcomes().dismissed, counted.dismissed)
  lua([[vim.keymap.del('i', '<F5>')]])

  input('<Esc>:split<CR>gg:1t0<CR>A<Cmd>wincmd w<CR>')
  wait('the other window', function()
    return test.cursor()[1] > 3
  end)
  expect('the mode', actor.mode(), 'i')
  input('<End>')
  wait('ghost text in the other window', function()
    return actor.ghost() ~= ''
  end)
  test.settle()
  expect('ghost text in the other window', actor.ghost(), actor.fresh())
  come_back()
  seen('back again the ghost text is there, and a mapping with <C-r>= does not take it away')
end)

-- Past the line's end, where 'virtualedit' allows the cursor, an accept would insert blanks as
-- well.
actor.scenario('virtual', function()
  local before = actor.open('virtual.rs', samples.rust)
  actor.type_text('acc')
  local text = actor.shown()
  lua([[vim.o.virtualedit = 'all']])
  for _, keys in ipairs({ '<Right>', '<Right><Right>' }) do
    input(keys)
    wait('the ghost text to go', function()
      return actor.ghost() == ''
    end)
    test.settle()
    expect('ghost text beyond the end', actor.ghost(), '')
    expect('whether it can be accepted', lua([[return require('tabahead').accept()]]), false)
    expect('whether it can be asked for', lua([[return require('tabahead').suggest()]]), false)
  end
  input('<Left><Left><Left>')
  wait('the ghost text at the end', function()
    return actor.ghost() == text
  end)
  actor.accept()
  expect('the buffer', test.buffer(), before .. 'acc' .. text)
  -- A tab is one character of several cells.
  actor.open('virtual.go', samples.go)
  actor.shown()
  input('<Left>')
  wait('the ghost text to go', function()
    return actor.ghost() == ''
  end)
  test.settle()
  expect('ghost text within a tab', actor.ghost(), '')
  lua([[vim.o.virtualedit = '']])
  come_back()
  seen("with 'virtualedit' there is ghost text at the line's end, and none beyond")
end)
