//! Values that are known before anything runs: those of constant expressions, and of globals that are never
//! set.
//!
//! Must not know how a module is encoded.

use wasm_encoder::Instruction;
use wasmparser::{ConstExpr, Operator};

use crate::group::{Group, Local, Resolved};
use crate::kind::Kind;
use crate::used::Used;

/// A number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    I32(i32),
    I64(i64),
    /// The bits of a float.
    F32(u32),
    F64(u64),
}

impl Value {
    /// The instruction that produces it.
    pub(crate) fn instruction(self) -> Instruction<'static> {
        match self {
            Value::I32(value) => Instruction::I32Const(value),
            Value::I64(value) => Instruction::I64Const(value),
            Value::F32(bits) => Instruction::F32Const(wasm_encoder::Ieee32::new(bits)),
            Value::F64(bits) => Instruction::F64Const(wasm_encoder::Ieee64::new(bits)),
        }
    }
}

/// The value of a constant expression, if it is a number and all its globals are known.
pub(crate) fn evaluate(
    expression: &ConstExpr<'_>,
    known: impl Fn(u32) -> Option<Value>,
) -> Option<Value> {
    let mut stack = Vec::new();
    for operator in expression.get_operators_reader() {
        let value = match operator.ok()? {
            Operator::I32Const { value } => Value::I32(value),
            Operator::I64Const { value } => Value::I64(value),
            Operator::F32Const { value } => Value::F32(value.bits()),
            Operator::F64Const { value } => Value::F64(value.bits()),
            Operator::GlobalGet { global_index } => known(global_index)?,
            Operator::End => break,
            other => {
                let (right, left) = (stack.pop()?, stack.pop()?);
                calculate(&other, left, right)?
            }
        };
        stack.push(value);
    }
    stack.pop().filter(|_| stack.is_empty())
}

fn calculate(operator: &Operator<'_>, left: Value, right: Value) -> Option<Value> {
    match (left, right) {
        (Value::I32(left), Value::I32(right)) => Some(Value::I32(match operator {
            Operator::I32Add => left.wrapping_add(right),
            Operator::I32Sub => left.wrapping_sub(right),
            Operator::I32Mul => left.wrapping_mul(right),
            _ => return None,
        })),
        (Value::I64(left), Value::I64(right)) => Some(Value::I64(match operator {
            Operator::I64Add => left.wrapping_add(right),
            Operator::I64Sub => left.wrapping_sub(right),
            Operator::I64Mul => left.wrapping_mul(right),
            _ => return None,
        })),
        _ => None,
    }
}

/// The globals whose values are known and don't change.
#[derive(Debug, Default)]
pub(crate) struct Constants {
    /// By member, then by the member's own index.
    values: Vec<Vec<Option<Value>>>,
}

impl Constants {
    /// Those that start with a known number and are not set by any code that can run.
    pub(crate) fn of(group: &Group<'_>, used: &Used) -> Constants {
        let mut constants = Constants::default();
        for (place, member) in group.members.iter().enumerate() {
            constants.values.push(Vec::new());
            let library = &member.library;
            for index in 0..library.imported(Kind::Global) + library.own(Kind::Global) {
                let local = Local {
                    member: place,
                    kind: Kind::Global,
                    index,
                };
                let value = constants.value(group, used, local);
                constants.values[place].push(value);
            }
        }
        constants
    }

    fn value(&self, group: &Group<'_>, used: &Used, local: Local) -> Option<Value> {
        let Resolved::Member(local) = group.resolve_local(local) else {
            return None;
        };
        if let Some(known) = self.get(local.member, local.index) {
            return Some(known);
        }
        let global = group.members[local.member].library.global(local.index)?;
        let stays = !used.set.contains(&local) && !used.exposed.contains(&local);
        let known = |index| self.get(local.member, index);
        let value = stays.then(|| evaluate(&global.init_expr, known));
        value.flatten()
    }

    /// The value of a member's global.
    pub(crate) fn get(&self, member: usize, global: u32) -> Option<Value> {
        *self.values.get(member)?.get(global as usize)?
    }
}

#[cfg(test)]
mod tests {
    use wasmparser::BinaryReader;

    use super::*;

    fn value(bytes: &[u8]) -> Option<Value> {
        let expression = ConstExpr::new(BinaryReader::new(bytes, 0));
        evaluate(&expression, |global| {
            (global == 1).then_some(Value::I32(40))
        })
    }

    #[test]
    fn numbers_sums_and_known_globals_have_a_value() {
        // i32.const 2, end
        assert_eq!(value(&[0x41, 2, 0x0b]), Some(Value::I32(2)));
        // global.get 1, i32.const 2, i32.add, end
        assert_eq!(value(&[0x23, 1, 0x41, 2, 0x6a, 0x0b]), Some(Value::I32(42)));
        // i64.const 7, i64.const 6, i64.mul, end
        assert_eq!(value(&[0x42, 7, 0x42, 6, 0x7e, 0x0b]), Some(Value::I64(42)));
    }

    #[test]
    fn what_is_not_known_has_none() {
        // global.get 0, end
        assert_eq!(value(&[0x23, 0, 0x0b]), None);
        // ref.func 0, end
        assert_eq!(value(&[0xd2, 0, 0x0b]), None);
    }
}
