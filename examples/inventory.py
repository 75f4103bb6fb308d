"""The stock of a small shop: what is there, what it costs, what runs low."""

import csv
import json


class Item:
    def __init__(self, name, price, quantity):
        self.name = name
        self.price = price
        self.quantity = quantity

    def total(self):
        return self.price * self.quantity

    def to_dict(self):
        return {
            "name": self.name,
            "price": self.price,
            "quantity": self.quantity,
        }


class Inventory:
    def __init__(self):
        self.items = []

    def add(self, item):
        self.items.append(item)

    def remove(self, name):
        self.items = [item for item in self.items if item.name != name]

    def find(self, name):
        for item in self.items:
            if item.name == name:
                return item
        return None

    def total(self):
        total = 0
        for item in self.items:
            total += item.total()
        return total

    def to_order(self, limit):
        low = []
        for item in self.items:

    def running_low(self, limit):
        low = []
        for item in self.items:
            if item.quantity < limit:
                low.append(item)
        return low

    def save_json(self, path):
        with open(path, "w") as file:
            json.dump([item.to_dict() for item in self.items], file)

    def load_json(self, path):
        with open(path) as file:
            for row in json.load(file):
                self.add(Item(row["name"], row["price"], row["quantity"]))

    def load_csv(self, path):
        with open(path) as file:
            for row in csv.DictReader(file):
                self.add(Item(row["name"], float(row["price"]), int(row["quantity"])))
