-- Beginnings of files, at whose end the built-in model suggests something, line after line.

local M = {}

M.rust = {
  '/// One line of a journal.',
  'pub struct Entry {',
  '    pub account: String,',
  '    pub amount: i64,',
  '    pub comment: Option<String>,',
  '}',
  '',
  'impl Entry {',
  '    pub fn debit(account: &str, amount: i64) -> Self {',
  '        Self {',
  '            account: account.to_owned(),',
  '            amount,',
  '            comment: None,',
  '        }',
  '    }',
  '',
  '    pub fn credit(account: &str, amount: i64) -> Self {',
  '        Self {',
  '            ',
}

M.go = {
  'package journal',
  '',
  'func debit(account string, amount int) Entry {',
  '\tif amount < 0 {',
  '\t\treturn Entry{}',
  '\t}',
  '\treturn Entry{account: account, amount: -amount}',
  '}',
  '',
  'func credit(account string, amount int) Entry {',
  '\tif amount < 0 {',
  '\t\t',
}

--- The suggestion before the closing bracket contains that bracket itself.
M.closer = {
  'area = width(rectangle) * height(rectangle)',
  'round = width(rectangle) + height(rectangle)',
  'print(area, round)',
  'half = width() * 2',
}

--- Characters of two, three and four bytes, and characters that are two columns wide.
M.wide = {
  'def erste(höhe, breite):',
  '    fläche = höhe * breite  # 面積',
  '    print("漢字 🙂", fläche)',
  '    return fläche',
  '',
  '',
  'def zweite(höhe, breite):',
  '    fläche = höhe * breite  # 面積',
  '    print("',
}

return M
