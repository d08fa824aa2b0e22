//! Orders to invoices, in whole cents: an example with the SDK.
//!
//! Must not know currencies, nor where an invoice goes.

/// The tasks, and the types of their values.
#[chicory_sdk::tasks]
pub mod tasks {
    use chicory_sdk::{log, progress};

    /// What a customer ordered.
    pub struct Order {
        pub customer: String,
        pub lines: Vec<Line>,
        /// Percent off, 0 to 100.
        pub discount: Option<u8>,
    }

    /// One thing, so many times.
    pub struct Line {
        pub product: String,
        pub quantity: u32,
        pub unit_price: u64,
        pub tax: Tax,
    }

    /// How a product is taxed.
    #[derive(PartialEq)]
    pub enum Tax {
        Standard,
        Reduced,
        Exempt,
    }

    /// What the customer has to pay, and the text to send.
    pub struct Invoice {
        pub net: u64,
        pub tax: u64,
        pub total: u64,
        pub text: String,
    }

    /// Why there is no invoice. No other try would help, so the cases are in `ignore_on`.
    #[derive(Debug, PartialEq)]
    pub enum Refusal {
        EmptyOrder,
        /// The name of the product.
        ZeroQuantity(String),
        DiscountAboveAll(u8),
        TooLarge,
    }

    /// Adds an order up.
    #[task(
        timeout = 1.0,
        ignore_on = [EmptyOrder, ZeroQuantity, DiscountAboveAll, TooLarge]
    )]
    pub fn bill(order: Order) -> Result<Invoice, Refusal> {
        let discount = order.discount.unwrap_or(0);
        if discount > 100 {
            return Err(Refusal::DiscountAboveAll(discount));
        }
        if order.lines.is_empty() {
            return Err(Refusal::EmptyOrder);
        }
        let mut text = format!("Invoice for {}\n", order.customer);
        let (mut net, mut tax) = (0_u64, 0_u64);
        for (done, line) in order.lines.iter().enumerate() {
            let price = price(line, discount)?;
            net = net.checked_add(price).ok_or(Refusal::TooLarge)?;
            tax += percent(price, rate(line.tax));
            text += &format!(
                "{:>6} x {}: {}\n",
                line.quantity,
                line.product,
                money(price)
            );
            progress::report(100.0 * (done + 1) as f64 / order.lines.len() as f64);
        }
        let total = net.checked_add(tax).ok_or(Refusal::TooLarge)?;
        text += &format!(
            "Net {}, tax {}, total {}\n",
            money(net),
            money(tax),
            money(total)
        );
        log::info!("{} lines for {}", order.lines.len(), order.customer);
        Ok(Invoice {
            net,
            tax,
            total,
            text,
        })
    }

    fn price(line: &Line, discount: u8) -> Result<u64, Refusal> {
        if line.quantity == 0 {
            return Err(Refusal::ZeroQuantity(line.product.clone()));
        }
        let full = line.unit_price.checked_mul(line.quantity.into());
        // So that a percentage of it can be taken, and the tax be added.
        let full = full.filter(|full| *full < u64::MAX / 1000);
        Ok(percent(
            full.ok_or(Refusal::TooLarge)?,
            100 - u64::from(discount),
        ))
    }

    fn rate(tax: Tax) -> u64 {
        match tax {
            Tax::Standard => 20,
            Tax::Reduced => 7,
            Tax::Exempt => 0,
        }
    }

    /// Half a cent is rounded up.
    fn percent(cents: u64, percent: u64) -> u64 {
        (cents * percent + 50) / 100
    }

    fn money(cents: u64) -> String {
        format!("{}.{:02}", cents / 100, cents % 100)
    }
}

#[cfg(test)]
mod tests {
    use chicory_sdk::testing::Host;

    use super::tasks::{Line, Order, Refusal, Tax, bill};

    fn order(quantity: u32, discount: Option<u8>) -> Order {
        let tea = Line {
            product: "tea".into(),
            quantity,
            unit_price: 1999,
            tax: Tax::Reduced,
        };
        Order {
            customer: "Ada".into(),
            lines: vec![tea],
            discount,
        }
    }

    #[test]
    fn an_order_is_added_up() {
        let seen = Host::new().run(|| bill(order(3, Some(10))));
        let invoice = seen.result.ok().unwrap();
        assert_eq!((invoice.net, invoice.tax, invoice.total), (5397, 378, 5775));
        assert_eq!(seen.progress, [(100.0, None)]);
    }

    #[test]
    fn what_is_no_order_is_refused() {
        let refused = |order| Host::new().run(|| bill(order)).result.err().unwrap();
        assert_eq!(refused(order(0, None)), Refusal::ZeroQuantity("tea".into()));
        assert_eq!(refused(order(1, Some(101))), Refusal::DiscountAboveAll(101));
    }
}
